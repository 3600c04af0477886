"""The `grader` command. Exit codes: 0 all well, 1 findings, 2 wrong use."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grader.findings import Feedback

if TYPE_CHECKING:
    from grader.bulk.grade import ClassResult

app = typer.Typer(
    help="Neural Networks by Hand: learn, check, build and grade.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Names = Annotated[list[str] | None, typer.Argument(help="chapters: 02_backprop, 02 or backprop")]


def main() -> None:
    """Run the command; every problem of ours to tell is one sentence on stderr."""
    from grader.build import BuildError
    from grader.bulk import GradeError
    from grader.course import CourseError
    from grader.exercise import ExerciseError
    from grader.exercises import UnknownName
    from grader.workspace import WorkspaceError

    known: tuple[type[Exception], ...] = (
        BuildError,
        CourseError,
        ExerciseError,
        GradeError,
        UnknownName,
        WorkspaceError,
    )
    try:
        app()
    except known as problem:
        _stop(str(problem))
    except KeyboardInterrupt:
        _stop("Stopped.")
    except BrokenPipeError:
        os._exit(0)  # the reader of our output has gone, for example `| head`


def _stop(sentence: str) -> None:
    print(f"grader: {sentence}", file=sys.stderr)
    raise SystemExit(2)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def lab(context: typer.Context) -> None:
    """Open JupyterLab on the working copy of the course; more arguments go to JupyterLab."""
    from grader.workspace import Workspace, default_folder

    workspace = Workspace(default_folder())
    made = workspace.fill()
    if made:
        typer.echo(f"{len(made)} notebooks copied to {workspace.folder}. They are yours to change.")
    command = [sys.executable, "-m", "jupyter", "lab", f"--ServerApp.root_dir={workspace.folder}"]
    never = "jupyterlab.NeverCheckForUpdate"  # the course makes no request of its own
    command += ["--LabApp.news_url=", f"--LabApp.check_for_updates_class={never}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    first = workspace.folder / "00_start_here" / "00_start_here_lesson.ipynb"
    if made and first.exists():
        command.append(f"--LabApp.default_url=/lab/tree/{first.relative_to(workspace.folder)}")
    # One thread for small matrices is faster than two that wait for each other.
    environment = {"OPENBLAS_NUM_THREADS": "1", **os.environ}
    # Learners need no "Create Assignment" beside their notebooks.
    config = Path(__file__).parent / "_lab"
    paths = [str(config), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    environment["JUPYTER_CONFIG_PATH"] = os.pathsep.join(paths)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.execvpe(command[0], [*command, *context.args], environment)


@app.command()
def start(folder: Annotated[Path | None, typer.Argument(help="default: my_course")] = None) -> None:
    """Make the working copy without opening JupyterLab."""
    from grader.workspace import Workspace, default_folder

    workspace = Workspace(folder or default_folder())
    made = workspace.fill()
    said = f"{len(made)} notebooks copied to {workspace.folder}." if made else "Nothing to copy."
    typer.echo(said)


@app.command()
def reset(name: Annotated[str, typer.Argument(help="an exercise or a notebook")]) -> None:
    """Restore one exercise or notebook of the working copy; the old one is kept aside."""
    from grader.workspace import find_workspace

    notebook, backup = find_workspace().reset(name)
    typer.echo(f"{name} is as at the start, in {notebook}.")
    if backup.exists():
        typer.echo(f"The notebook as it was: {backup}")
    typer.echo("If it is open in JupyterLab: File, Reload Notebook from Disk.")


@app.command()
def progress(chapter: Annotated[str | None, typer.Argument()] = None) -> None:
    """What is done, tried, and still open."""
    from grader.exercises import chapters, get_chapter
    from grader.notes import chapter_map
    from grader.store import Store
    from grader.workspace import find_workspace

    shown = [get_chapter(chapter)] if chapter else [c for c in chapters() if c.exercises]
    typer.echo(str(chapter_map(shown, Store(find_workspace().folder))))


@app.command()
def exercises(chapter: Annotated[str | None, typer.Argument()] = None) -> None:
    """List the exercises with their points."""
    from grader.exercises import chapters, get_chapter

    for each in [get_chapter(chapter)] if chapter else chapters():
        typer.echo(f"{each.name}: {each.title}")
        for exercise in each:
            more = " (bonus)" if exercise.optional else ""
            typer.echo(f"  {exercise.name:<28}{exercise.points:>4g}{more}  {exercise.kind}")


@app.command()
def build(
    names: Names = None,
    check: Annotated[bool, typer.Option("--check", help="change nothing; fail on drift")] = False,
) -> None:
    """Build the notebooks from their text, or prove that they are as they must be."""
    from grader.course import find_course

    course = find_course()
    if not check:
        changed = course.build(names or ())
        for path in changed:
            typer.echo(f"wrote {path.relative_to(course.root)}")
        typer.echo(f"{len(changed)} files changed." if changed else "Everything was up to date.")
        return
    problems = course.problems(names or ())
    for problem in problems:
        typer.echo(problem)
    said = f"{len(problems)} problems." if problems else "No drift, no leak; every proof holds."
    typer.echo(said)
    raise typer.Exit(1 if problems else 0)


@app.command()
def site(
    names: Names = None,
    folder: Annotated[Path | None, typer.Option(help="where the pages go; default: site")] = None,
) -> None:
    """Make pages to read without a kernel and without a network; lessons are executed."""
    from grader.course import find_course

    try:
        from grader.site import build_site
    except ModuleNotFoundError as problem:
        _stop(f"Pages need one more package: pip install {str(problem.name).replace('_', '-')}")

    course = find_course()
    pages = build_site(course, folder or course.root / "site", names or (), typer.echo)
    typer.echo(f"{len(pages)} pages. Open {pages[0]}")


@app.command()
def check(
    paths: Annotated[list[str], typer.Argument(help=".py files, notebooks, or folders of them")],
    exercise: Annotated[str | None, typer.Option(help="check only this one")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON array")] = False,
    feedback: Annotated[str, typer.Option(help="verdict, diagnosis or full")] = "diagnosis",
    seed: Annotated[int, typer.Option(help="draws the cases")] = 0,
) -> None:
    """Check exercises in files. Each file runs in a process of its own, with limits."""
    from grader import page
    from grader.exercises import get
    from grader.files import check_files

    only = get(exercise) if exercise else None
    results = check_files(_expand(paths), only, seed, _feedback(feedback))
    if as_json:
        typer.echo(json.dumps([result.to_dict() for result in results], indent=1))
    else:
        for result in results:
            typer.echo(result.path)
            if result.problem:
                typer.echo(f"  {result.problem}")
            for report in result.reports:
                typer.echo("  " + page.text(report).replace("\n", "\n  "))
    raise typer.Exit(0 if all(result.passed for result in results) else 1)


@app.command()
def messages(
    names: Names = None,
    folder: Annotated[Path, typer.Option(help="where the pages go")] = Path("build/messages"),
) -> None:
    """Write what a learner sees for every named mistake, one HTML page for each chapter."""
    from grader.exercises import chapters, get_chapter
    from grader.messages import write_pages

    shown = [get_chapter(name) for name in names] if names else chapters()
    typer.echo(f"{len(write_pages(folder, shown)) - 1} pages; begin with {folder / 'index.html'}.")


@app.command()
def grade(
    submitted: Annotated[Path, typer.Argument(help="<student>/<assignment>/<notebook>.ipynb")],
    assignment: Annotated[list[str] | None, typer.Option(help="only these chapters")] = None,
    student: Annotated[list[str] | None, typer.Option(help="only these students")] = None,
    seed: Annotated[
        str | None, typer.Option(help="a number, or 'public'; default: the course's kept secret")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="submissions at a time; default: cores")] = None,
    feedback: Annotated[
        str | None, typer.Option(help="verdict, diagnosis or full; default: the course's setting")
    ] = None,
    require_level: Annotated[
        int | None, typer.Option(min=0, max=3, help="least protection; default 2 on Linux")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="grade unchanged work anew")] = False,
    shard: Annotated[str | None, typer.Option(help="one part of the class, such as 3/8")] = None,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="write every result as JSON lines")
    ] = None,
) -> None:
    """Grade a class into nbgrader's gradebook; each submission in a process of its own."""
    from rich.console import Console

    from grader.bulk.shards import Shard
    from grader.bulk.table import json_lines, summary

    result = _grade(
        submitted,
        assignments=assignment,
        students=student,
        seed=_seed(seed),
        jobs=jobs,
        feedback=None if feedback is None else _feedback(feedback),
        require_level=require_level,
        force=force,
        shard=Shard.parse(shard) if shard else None,
    )
    if as_json is not None:
        as_json.write_text("".join(line + "\n" for line in json_lines(result)), "utf-8")
    Console().print(summary(result))
    if shard:
        typer.echo("The gradebook is filled by the next run without --shard.")
        return
    typer.echo(f"Gradebook: {result.root / 'gradebook.db'}. Feedback: {result.root / 'feedback'}.")


@app.command()
def insights(
    submitted: Annotated[Path, typer.Argument(help="the folder that was graded")],
) -> None:
    """One page about a graded class, and its totals for Canvas and Moodle."""
    from grader.bulk import GradeError
    from grader.bulk.course import open_course
    from grader.bulk.gradebook import Book
    from grader.bulk.insights import write_csv, write_insights
    from grader.bulk.journal import JOURNAL_FILE, Journal

    course = open_course(submitted)
    if not (course.root / JOURNAL_FILE).is_file():
        raise GradeError(f"Nothing has been graded in {course.root}: run `grader grade` first.")
    with Journal(course.root / JOURNAL_FILE) as journal:
        typer.echo(f"Page: {write_insights(course.root, journal.results())}")
    with Book(course) as book:
        for path in write_csv(course.root, book.totals()):
            typer.echo(f"Totals: {path}")


@app.command()
def mutants(names: Names = None) -> None:
    """Change every answer a little, everywhere, and see whether its check notices."""
    from grader import mutation
    from grader.course import find_course

    course = find_course()
    reasons = mutation.read_reasons(course.root / "solutions" / mutation.EQUIVALENT_FILE)
    scores = []
    for one in mutation.scores_of(names or ()):
        scores.append(one)
        typer.echo(f"{one.exercise.name}: {one.total - len(one.alive)} of {one.total} caught")
        for mutant in one.unexplained(reasons):
            typer.echo(f"  lives, and is not listed: {one.exercise.name} | {mutant}")
    if not names:
        (course.root / "docs" / "mutants.md").write_text(mutation.table(scores), "utf-8")
    raise typer.Exit(1 if any(one.unexplained(reasons) for one in scores) else 0)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="the course root to make")] = Path("demo_class"),
    students: Annotated[int, typer.Option(help="size of the class")] = 30,
) -> None:
    """Make a class of honest, wrong, broken and late submissions for chapter 02 and grade it."""
    from rich.console import Console

    from grader.bulk.demo import make_class
    from grader.bulk.table import summary

    expected = make_class(folder, students=students)
    result = _grade(folder / "submitted")
    Console().print(summary(result))
    found = {one.student: one.points for one in result.results}
    right = sum(found.get(name) == each.total for name, each in expected.items())
    typer.echo(
        f"{len(found)} submissions in {result.seconds:.1f} s; {right} of {len(expected)} learners "
        f"have the points their work should get. Pages: {folder / 'feedback'}"
    )
    raise typer.Exit(0 if right == len(expected) else 1)


def _grade(submitted: Path, **options: Any) -> ClassResult:
    """Grade with a progress bar on stderr, so that stdout holds the result alone."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    from grader.bulk.grade import grade as grade_class

    rate = TextColumn("{task.fields[rate]}")
    columns = ("grading", BarColumn(), MofNCompleteColumn(), rate, Remaining())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("grading", total=None, rate="")
    begun = time.monotonic()

    def move(done: int, total: int, _result: object) -> None:
        bar.start()  # only now: its thread must not be there when processes are forked
        speed = done / max(time.monotonic() - begun, 1e-3)
        bar.update(task, completed=done, total=total, rate=f"{speed:.0f} a second")

    try:
        return grade_class(submitted, progress=move, **options)
    finally:
        bar.stop()


def _seed(word: str | None) -> int | str | None:
    if word is None or word == "public":
        return word
    if not word.lstrip("-").isdigit():
        _stop(f"--seed is a whole number or 'public'; got {word!r}.")
    return int(word)


def _expand(paths: list[str]) -> list[str]:
    """Files as given; folders as the files in them."""
    files: list[str] = []
    for path in paths:
        if not os.path.exists(path):
            _stop(f"There is no file {path!r}. Give paths of .py files or notebooks.")
        if os.path.isdir(path):
            inside = sorted(p for p in Path(path).rglob("*") if p.suffix in (".py", ".ipynb"))
            if not inside:
                _stop(f"The folder {path!r} holds no .py file and no notebook.")
            files += [str(p) for p in inside if ".ipynb_checkpoints" not in p.parts]
        else:
            files.append(path)
    return files


def _feedback(word: str) -> Feedback:
    known: dict[str, Feedback] = {"verdict": "verdict", "diagnosis": "diagnosis", "full": "full"}
    if word not in known:
        _stop(f"--feedback is one of {', '.join(known)}; got {word!r}.")
    return known[word]
