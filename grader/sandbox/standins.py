"""What a submission finds when it imports `grader`, matplotlib and their like: nothing happens.

Pictures and checks belong to the learner's own notebook. While work is graded they do nothing,
and take no time. The real `grader` package, with its answers, is out of reach of `import`.
"""

from __future__ import annotations

import builtins
import dis
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

SILENT = (
    "matplotlib",
    "mpl_toolkits",
    "seaborn",
    "plotly",
    "ipywidgets",
    "anywidget",
    "IPython",
    "google.colab",
    "tqdm",
)
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_UNPACK, _UNPACK_EX = dis.opmap["UNPACK_SEQUENCE"], dis.opmap["UNPACK_EX"]


class Inert:
    """Swallows whatever is done to it: call it, index it, draw on it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and type(args[0]) is FunctionType:
            return args[0]  # a decorator such as `interact(...)` leaves the function as it is
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        pass

    def __delattr__(self, name: str) -> None:
        pass

    def __getitem__(self, key: Any) -> Any:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        """As many items as `fig, ax = ...` asks for; none in a loop, which so comes to an end."""
        frame = sys._getframe(1)
        code, at = frame.f_code.co_code, frame.f_lasti
        wanted = 0
        if 0 <= at < len(code) and code[at] == _UNPACK:
            wanted = code[at + 1]
        elif 0 <= at < len(code) and code[at] == _UNPACK_EX:
            wanted = code[at + 1]  # names before the star; those after it are rare
        return iter([self] * wanted)

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def __contains__(self, item: Any) -> bool:
        return False

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *problem: Any) -> None:
        pass

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        return ()  # `class Mine(Widget)` is then a class like any other

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.zeros((), dtype)

    def __float__(self) -> float:
        return 0.0

    def __int__(self) -> int:
        return 0

    __index__ = __int__

    def __format__(self, spec: str) -> str:
        return ""

    def __repr__(self) -> str:
        return ""

    def _itself(self, *others: Any) -> Any:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __pow__ = __rpow__ = _itself
    __truediv__ = __rtruediv__ = __floordiv__ = __mod__ = __matmul__ = __rmatmul__ = _itself
    __or__ = __and__ = __neg__ = __abs__ = __round__ = _itself

    def _holds(self, other: Any) -> bool:
        return True  # `assert gradcheck(f, x) < 1e-7`

    __lt__ = __le__ = __gt__ = __ge__ = _holds


class Ungraded(Inert):
    """Takes the place of a check's report."""

    def show(self) -> float:
        return 0.0


_INERT = Inert()
_UNGRADED = Ungraded()


class Progress(Inert):
    """A progress bar that shows nothing, and passes on what it is wrapped around."""

    def __init__(self, items: Any = (), *args: Any, **kwargs: Any):
        self.__dict__["_items"] = items  # assigning an attribute would do nothing

    def __iter__(self) -> Iterator[Any]:
        return iter(self.__dict__["_items"])

    def __len__(self) -> int:
        return len(self.__dict__["_items"])


def _progress_range(*bounds: int, **kwargs: Any) -> Progress:
    return Progress(range(*bounds))


class SilentModule(ModuleType):
    """A module in which every name exists and does nothing."""

    __version__ = "0"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        if self.__name__.partition(".")[0] == "tqdm":
            return _progress_range if "range" in name else Progress
        return _INERT


class GraderModule(ModuleType):
    """`grader` as a submission sees it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        raise AttributeError(refusal(f"grader.{name}"))


def refusal(name: str) -> str:
    """Why `name` cannot be imported, in a sentence."""
    if name == "grader.nn" or name.startswith("grader.nn."):
        return f"{name} is not part of this exercise: write what you need yourself"
    if name == "grader.datasets":
        return "grader.datasets is not there while your work is graded: only functions are tested"
    return f"{name} is not there while your work is graded"


class Finder(MetaPathFinder):
    """Answers imports of `grader` and of silent packages before anyone else is asked."""

    def __init__(self) -> None:
        self.given: dict[str, str] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "grader" or name.startswith("grader."):
            return self._grader(name)
        if name == "google":
            return importlib.util.spec_from_loader(name, _Silent(), is_package=True)
        if any(name == known or name.startswith(known + ".") for known in SILENT):
            return importlib.util.spec_from_loader(name, _Silent(), is_package=True)
        return None

    def _grader(self, name: str) -> ModuleSpec | None:
        if name in self.given or name == "grader":
            package = name == "grader" or any(n.startswith(name + ".") for n in self.given)
            loader = _Given(self.given.get(name))
            return importlib.util.spec_from_loader(name, loader, is_package=package)
        if name == "grader.widgets" or name.startswith("grader.widgets."):
            return importlib.util.spec_from_loader(name, _Silent(), is_package=True)
        raise ImportError(refusal(name), name=name)


class _Silent(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return SilentModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


class _Given(Loader):
    """Loads a module from the text that came with the submission."""

    def __init__(self, source: str | None):
        self._source = source

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        if spec.name != "grader":
            return None
        module = GraderModule("grader")
        for name in ("check", "hint", "progress", "compare", "gradcheck"):
            setattr(module, name, _ungraded)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if self._source is not None:
            # named as part of this package, so that an error points at the learner's line instead
            path = os.path.join(_ROOT, *module.__name__.split(".")) + ".py"
            exec(compile(self._source, path, "exec"), module.__dict__)


def _ungraded(*args: Any, **kwargs: Any) -> Ungraded:
    return _UNGRADED


def _no_input(prompt: object = "") -> str:
    raise RuntimeError("input() cannot ask anybody while your work is graded")


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


def install() -> Finder:
    """Put the real `grader` out of reach of `import`, and the stand-ins in its place."""
    for name in list(sys.modules):
        top = name.partition(".")[0]
        if top == "grader" or top in SILENT:
            del sys.modules[name]
    kept = []
    for entry in sys.path:
        ours = os.path.isdir(os.path.join(entry, "grader"))
        if not ours or os.path.isdir(os.path.join(entry, "numpy")):
            kept.append(entry)
    sys.path[:] = kept
    sys.meta_path[:] = [item for item in sys.meta_path if "editable" not in _module_of(item)]
    sys.path_importer_cache.clear()
    finder = Finder()
    sys.meta_path.insert(0, finder)
    offered: Mapping[str, Any] = {
        "display": _nothing,
        "get_ipython": lambda: _INERT,
        "input": _no_input,
        "xrange": range,  # old notebooks take it from `past.builtins`
    }
    for name, value in offered.items():
        setattr(builtins, name, value)
    return finder


def _module_of(item: object) -> str:
    return str(getattr(item, "__module__", None) or type(item).__module__)
