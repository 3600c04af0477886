"""JupyterLab and Chromium for tests: a real server on loopback, a real browser, nothing from home.

`server` starts JupyterLab on a working copy, with configuration of its own. `browser` starts
Chromium and refuses every request that would leave this machine. `Notebook` is one open notebook:
what a learner sees and does, in a learner's words (write, run, read the page).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import BrowserContext, Locator, Page, Playwright, Request, Route

SECONDS = 90  # for anything that waits for a kernel; two busy cores can be slow
LOOPBACK = re.compile(r"(?:https?|wss?)://(?:127\.0\.0\.1|localhost)[:/]")

CHROMIUM_FLAGS = [
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-default-browser-check",
    "--no-first-run",
]

# What `Notebook` asks JupyterLab about the notebook in front: the model, not the page, so that
# cells outside the window count too.
CELLS = """() => [...window.jupyterapp.shell.currentWidget.content.model.cells].map(cell => {
  const data = cell.toJSON();
  return {kind: data.cell_type, source: [data.source].flat().join(""), meta: data.metadata,
          count: data.execution_count ?? null, outputs: data.outputs ?? []};
})"""
# "idle" is also shown, for a moment, while there is no kernel yet.
IDLE = """() => {
  const kernel = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === "connected" && kernel.status === "idle";
}"""
WIDGET = "application/vnd.jupyter.widget-view+json"


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome of this machine, else None."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    return None


# --- the server --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """A JupyterLab that answers at `base` to whoever knows `token`."""

    base: str
    token: str
    root: Path

    def url(self, notebook: str, workspace: str) -> str:
        """Where a notebook opens in a fresh arrangement of the page."""
        return f"{self.base}/lab/workspaces/{workspace}/tree/{notebook}?reset&token={self.token}"

    def end_sessions(self) -> None:
        """Stop every kernel: it would outlive its page, and the next test would find it."""
        for session in json.load(self._ask("api/sessions")):
            with contextlib.suppress(urllib.error.URLError):
                self._ask(f"api/sessions/{session['id']}", "DELETE").close()

    def _ask(self, path: str, method: str = "GET"):
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.base}/{path}", method=method, headers=headers)
        return urllib.request.urlopen(request, timeout=20)


@contextlib.contextmanager
def server(root: Path, home: Path) -> Iterator[Server]:
    """JupyterLab on `root`; everything it keeps goes to `home`, its log to `home/lab.log`."""
    token, port = secrets.token_hex(16), _free_port()
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    # Else a question about news covers the page.
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    command = [
        sys.executable,
        *("-m", "jupyter", "lab", "--no-browser"),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={root}",
        f"--IdentityProvider.token={token}",
        "--ServerApp.terminals_enabled=False",
        "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        "--LabApp.expose_app_in_browser=True",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    with open(home / "lab.log", "wb") as log:
        process = subprocess.Popen(
            command,
            env=_environment(home),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its kernels end with it, whatever happens
        )
    found = Server(f"http://127.0.0.1:{port}", token, root)
    try:
        _wait_until_up(found, process, home / "lab.log")
        yield found
    finally:
        _stop(process)


def _environment(home: Path) -> dict[str, str]:
    """This process's environment without any of the user's Jupyter, IPython and matplotlib."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {
        **kept,
        "PATH": path,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "OPENBLAS_NUM_THREADS": "1",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_up(lab: Server, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            tail = log.read_text("utf-8", "replace")[-2000:]
            raise RuntimeError(f"JupyterLab ended with code {process.returncode}:\n{tail}")
        try:
            lab._ask("api/status").close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not answer within {SECONDS} s; see {log}")


def _stop(process: subprocess.Popen) -> None:
    """Ask the server to end, then make sure that no kernel of it is left."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        pass
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(5)


# --- the browser -------------------------------------------------------------------------------


@dataclass
class Browser:
    """A Chromium window, and every address outside this machine that a page asked for."""

    context: BrowserContext
    foreign: list[str] = field(default_factory=list)

    def _guard(self, route: Route, request: Request) -> None:
        if not request.url.startswith(("http", "ws")) or LOOPBACK.match(request.url):
            route.continue_()
        else:
            self.foreign.append(request.url)
            route.abort()

    def _watch(self, page: Page) -> None:
        """Web sockets pass by the guard; they are noted at least."""
        page.on("websocket", lambda s: LOOPBACK.match(s.url) or self.foreign.append(s.url))


@contextlib.contextmanager
def browser(
    play: Playwright,
    executable: str,
    profile: Path,
    size: tuple[int, int] = (1280, 1000),
    scale=1.0,
) -> Iterator[Browser]:
    """Chromium without a window, with an empty profile and no way out of this machine."""
    context = play.chromium.launch_persistent_context(
        str(profile),
        executable_path=executable,
        headless=True,
        chromium_sandbox=False,  # containers and root have none
        args=CHROMIUM_FLAGS,
        viewport={"width": size[0], "height": size[1]},
        device_scale_factor=scale,
    )
    context.set_default_timeout(1e3 * SECONDS)
    found = Browser(context)
    context.route("**/*", found._guard)
    context.on("page", found._watch)
    try:
        yield found
    finally:
        context.close()


# --- a notebook --------------------------------------------------------------------------------


class Notebook:
    """One notebook, open in JupyterLab with a kernel that is ready."""

    def __init__(self, lab: Server, page: Page, path: str, workspace: str):
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)[:300]))
        page.goto(lab.url(path, workspace), wait_until="domcontentloaded")
        page.locator("#jupyterlab-splash").wait_for(state="detached")
        page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").first.wait_for()
        self.wait()
        # The file browser at the left only takes room.
        self.command("application:toggle-left-area")

    # --- what is there ---

    def cells(self) -> list[dict]:
        """Kind, source, metadata, count and outputs of every cell."""
        return self.page.evaluate(CELLS)

    def problems(self) -> list[str]:
        """Error outputs of all cells, in words."""
        found = []
        for number, cell in enumerate(self.cells()):
            for output in cell["outputs"]:
                if output["output_type"] == "error":
                    found.append(f"cell {number}: {output['ename']}: {output['evalue']}")
        return found

    def not_run(self) -> list[int]:
        """Numbers of the code cells with a source and without a count."""
        cells = enumerate(self.cells())
        return [n for n, c in cells if c["kind"] == "code" and c["source"] and not c["count"]]

    def widgets(self) -> list[int]:
        """Numbers of the cells that show a widget."""
        cells = enumerate(self.cells())
        return [n for n, c in cells if any(WIDGET in o.get("data", {}) for o in c["outputs"])]

    def called(self, number: int) -> str:
        """The function that the cell's last statement calls, as a name for the cell."""
        return re.findall(r"^(\w+)\(", self.cells()[number]["source"], re.MULTILINE)[-1]

    def place(self, name: str | int) -> int:
        """Number of the code cell with this grade id, or else with exactly this source."""
        if isinstance(name, int):
            return name
        for number, cell in enumerate(self.cells()):
            if name in (cell["meta"].get("nbgrader", {}).get("grade_id"), cell["source"]):
                return number
        raise LookupError(f"no cell is called {name!r}")

    def cell(self, number: int) -> Locator:
        """The cell on the page, scrolled to."""
        self.page.evaluate(
            "n => window.jupyterapp.shell.currentWidget.content.scrollToItem(n, 'smart')", number
        )
        found = self.page.locator(
            f".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell[data-windowed-list-index='{number}']"
        )
        found.wait_for()
        found.scroll_into_view_if_needed()
        return found

    def output(self, name: str | int) -> Locator:
        """What stands under the cell of this name."""
        return self.cell(self.place(name)).locator(".jp-Cell-outputWrapper")

    # --- what is done ---

    def command(self, name: str, **arguments) -> None:
        """A command of JupyterLab's menus and palette."""
        self.page.evaluate(
            "([name, given]) => window.jupyterapp.commands.execute(name, given).then(() => null)",
            [name, arguments],
        )

    def wait(self) -> None:
        """Until the kernel is there and has nothing to do."""
        self.page.wait_for_function(IDLE, polling=200)

    def run_all(self, seconds: float = SECONDS) -> None:
        """Run, Run All Cells, by the menu; until every code cell has a number."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.locator("[data-command='runmenu:run-all']").click()
        end = time.monotonic() + seconds
        while self.not_run() and not self.problems():
            if time.monotonic() > end:
                raise TimeoutError(f"cells {self.not_run()} have not run within {seconds} s")
            self.page.wait_for_timeout(500)
        self.wait()

    def write(self, name: str, source: str) -> None:
        """Replace the cell's source by typing into it."""
        editor = self.cell(self.place(name)).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(source)
        shown = self.cells()[self.place(name)]["source"]
        assert shown == source, f"the editor holds {shown!r}"

    def run(self, name: str | int) -> Locator:
        """Run the cell and wait for its end; returns its output."""
        number = self.place(name)
        model = f"[...window.jupyterapp.shell.currentWidget.content.model.cells][{number}]"
        self.page.evaluate(f"() => {{ {model}.executionCount = null; }}")
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_function(f"() => {model}.executionCount !== null", polling=100)
        self.wait()
        return self.output(name)

    def run_first(self) -> Locator:
        """Run the first code cell: the imports."""
        return self.run(next(n for n, c in enumerate(self.cells()) if c["kind"] == "code"))

    def add(self, source: str) -> int:
        """A new cell at the end, with this source; returns its number."""
        self.page.evaluate(
            """source => {
                 const shared = window.jupyterapp.shell.currentWidget.content.model.sharedModel;
                 shared.insertCell(shared.cells.length, {cell_type: "code", source});
               }""",
            source,
        )
        return len(self.cells()) - 1

    def restart(self) -> None:
        """A new kernel for the same notebook."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()"
        )
        self.wait()

    def theme(self, name: str) -> None:
        """ "light" or "dark"."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name.capitalize()}")
        light = "true" if name == "light" else "false"
        self.page.locator(f"body[data-jp-theme-light='{light}']").wait_for(state="attached")
        self.page.wait_for_timeout(300)  # the style sheet is exchanged

    def broken_images(self) -> list[str]:
        """Every picture of the notebook that shows nothing, cell by cell."""
        found = []
        for number, cell in enumerate(self.cells()):
            kinds = {key for o in cell["outputs"] for key in o.get("data", {})}
            if "![" not in cell["source"] and "<img" not in cell["source"] and not kinds:
                continue
            images = self.cell(number).locator("img")
            for image in images.all():
                fine = image.evaluate("i => i.decode().then(() => i.naturalWidth > 0, () => false)")
                if not fine:
                    found.append(f"cell {number}: {(image.get_attribute('src') or '')[:80]}")
        return found


def run_the_whole(notebook: Notebook, chromium: Browser, seconds: float = 4 * SECONDS) -> None:
    """Run All, and nothing is wrong: no error, no broken picture, no request to elsewhere."""
    notebook.run_all(seconds)
    assert notebook.problems() == []
    assert notebook.broken_images() == []
    assert notebook.errors == []
    assert chromium.foreign == []
