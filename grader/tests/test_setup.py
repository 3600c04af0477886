"""What is installed: one list of packages everywhere, hashes in the lock, a complete wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONDA_NAMES: dict[str, str] = {}  # name on PyPI -> name on conda-forge, where they differ
BUILD_ONLY = {"pip"}  # conda needs to be told; pip brings itself


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def split(requirement: str) -> tuple[str, frozenset[str]]:
    """Name and bounds: "numpy>=2.0,<3" -> ("numpy", {">=2.0", "<3"})."""
    match = re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?\s*([^;]*?)\s*(?:;.*)?", requirement.strip())
    assert match, requirement
    return normal(match[1]), frozenset(filter(None, re.split(r"\s*,\s*", match[2])))


# --- environment.yml -------------------------------------------------------------------------


def conda() -> dict[str, frozenset[str]]:
    """The conda names of `environment.yml` with their bounds (read without a YAML package)."""
    path = ROOT / "environment.yml"
    if not path.exists():
        pytest.skip("there is no environment.yml yet")
    lines = [line.split(" #")[0].rstrip() for line in path.read_text("utf-8").splitlines()]
    inside = lines[lines.index("dependencies:") + 1 :]
    items = [m[1].strip("'\"") for line in inside if (m := re.fullmatch(r"  - ([^:]+)", line))]
    assert items, "no dependencies were read"
    return dict(split(item) for item in items)


def wanted() -> dict[str, frozenset[str]]:
    """What the course needs at run time, and the build backend of an editable install."""
    requirements = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    pairs = dict(map(split, requirements))
    return {CONDA_NAMES.get(name, name): bounds for name, bounds in pairs.items()}


def test_the_conda_environment_has_the_same_packages_and_ranges():
    found = conda()
    python = found.pop("python")
    assert python == {PROJECT["project"]["requires-python"]}
    assert {k: v for k, v in found.items() if k not in BUILD_ONLY} == wanted()


def test_the_conda_environment_installs_the_course_without_asking_pip_for_more():
    conda()
    text = (ROOT / "environment.yml").read_text("utf-8")
    assert re.search(r"--no-deps .*--editable \.", text)
    assert "http" not in text


# --- the lock --------------------------------------------------------------------------------


def locked() -> dict[str, str]:
    """Blocks of `requirements.lock`, by name."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    blocks = re.split(r"\n(?=[a-zA-Z0-9])", "\n" + text)[1:]
    return {normal(re.match(r"[\w.-]+", block)[0]): block for block in blocks}


def test_every_locked_requirement_is_pinned_and_has_hashes():
    blocks = locked()
    assert len(blocks) > 50
    for name, block in blocks.items():
        assert re.match(r"[\w.-]+(\[[\w,]+\])?==[\w.!+]+", block), name
        hashes = re.findall(r"--hash=(\S+)", block)
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", h) for h in hashes), name


def test_the_lock_names_no_host_and_no_index():
    text = (ROOT / "requirements.lock").read_text("utf-8")
    assert not re.search(r"https?:|index-url|find-links|trusted-host|@ file", text)
    assert not any(f"{place}/" in text for place in (ROOT, Path.home()))


def test_the_lock_holds_everything_that_is_asked_for():
    project = PROJECT["project"]
    extras = project["optional-dependencies"]["test"]
    for requirement in [*project["dependencies"], *extras]:
        name, bounds = split(requirement)
        assert name in locked(), f"{name} is not locked; run `make lock`"
        version = re.match(r"[^=]+==([\w.]+)", locked()[name])[1]
        assert within(version, bounds), f"{name} {version} is outside of {set(bounds)}"


def within(version: str, bounds: frozenset[str]) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(",".join(bounds)).contains(version, prereleases=True)


def test_no_deep_learning_framework_is_installed():
    assert not {"torch", "tensorflow", "jax", "keras"} & set(locked())


# --- the wheel -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_holds_data_notebooks_and_exercises(wheel):
    names = set(wheel.namelist())
    for path in (ROOT / "datasets").iterdir():
        if path.name != ".gitkeep":
            assert f"grader/_data/datasets/{path.name}" in names
    for path in (ROOT / "course").glob("*/*.ipynb"):
        inside = f"grader/_data/course/{path.parent.name}/{path.name}"
        assert inside in names and wheel.read(inside) == path.read_bytes()
    for path in (ROOT / "grader" / "exercises").glob("*.py"):
        assert f"grader/exercises/{path.name}" in names
    for path in (ROOT / "grader" / "widgets").iterdir():
        if path.suffix in (".py", ".js", ".css"):
            assert f"grader/widgets/{path.name}" in names


def test_the_wheel_holds_no_tests_no_solutions_and_no_learners_work(wheel):
    for name in wheel.namelist():
        assert not re.search(r"grader/tests/|solutions/|my_course|__pycache__|\.progress", name)


def test_the_wheel_describes_itself_and_brings_the_command(wheel):
    (name,) = [n for n in wheel.namelist() if n.endswith(".dist-info/METADATA")]
    metadata = Parser().parsestr(wheel.read(name).decode())
    readme = (ROOT / "README.md").read_text("utf-8")
    assert readme.strip() and metadata.get_payload().strip() == readme.strip()
    assert metadata["Requires-Python"] == PROJECT["project"]["requires-python"]
    assert metadata["License-Expression"] == "MIT"
    (scripts,) = [n for n in wheel.namelist() if n.endswith("entry_points.txt")]
    assert b"grader = grader.cli:main" in wheel.read(scripts)


def test_the_installed_package_finds_its_notebooks_without_a_checkout(wheel, tmp_path):
    """The wheel, unpacked somewhere else: the working copy comes out of it."""
    wheel.extractall(tmp_path / "site")
    code = (
        "from pathlib import Path\nfrom grader.workspace import Workspace, released\n"
        "from grader.datasets import load_digits\n"
        "print(released().relative_to(Path.cwd() / 'site'))\n"
        "print(len(Workspace(Path('mine')).fill()), bool(load_digits()))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    notebooks = len(list((ROOT / "course").glob("*/*.ipynb")))
    assert done.stdout.split() == ["grader/_data/course", str(notebooks), "True"]


# --- the checkout ----------------------------------------------------------------------------


def tracked() -> list[Path]:
    try:
        done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if done.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name]


def test_no_tracked_file_names_a_path_of_a_machine():
    places = [b"/" + place + b"/" for place in (b"work", b"root", b"home/\\w+")]
    pattern = re.compile(rb"(?<![\w.}\])])(?:" + b"|".join(places) + rb")[\w.]")
    found = []
    for path in tracked():
        if path == Path(__file__) or not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" in content:
            continue  # not text
        for number, line in enumerate(content.splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]!r}")
    assert found == []


def test_nothing_generated_is_tracked():
    for path in tracked():
        assert not re.search(r"__pycache__|\.ipynb_checkpoints|/my_course/|\.egg-info", str(path))
