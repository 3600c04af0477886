"""Every topic of a finished chapter has its place: a section and a task."""

import csv
import re
from pathlib import Path

from grader.exercises import chapters, get

ROOT = Path(__file__).parents[2]
TOPICS = list(
    csv.DictReader((Path(__file__).parent / "data" / "coverage.csv").open(encoding="utf-8"))
)


def rows():
    lines = (ROOT / "docs" / "coverage.md").read_text("utf-8").splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return {row[0]: row for row in cells if row and re.fullmatch(r"T\d+", row[0])}


def lesson(number):
    (path,) = (ROOT / "solutions").glob(f"{number}_*/{number}_*_lesson.md")
    return path.read_text("utf-8")


def test_every_topic_of_a_finished_chapter_has_a_row():
    finished = {f"NB{chapter.name[:2]}" for chapter in chapters()}
    wanted = {row["id"] for row in TOPICS if row["notebook"] in finished}
    assert wanted - set(rows()) == set()


def test_every_section_and_exercise_named_exists():
    for name, (_, _, taught, tasks) in rows().items():
        number, section = taught.split(": ", 1)
        headings = re.findall(r"^#+ (.*)$", lesson(number), re.MULTILINE)
        assert section in headings, (name, section)
        for task in re.findall(r"`(\w+)`", tasks):
            assert get(task).name == task
