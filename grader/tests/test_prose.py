"""Texts for people: spelling, links, formulas, and the house's words and lengths."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted((ROOT / "solutions").glob("*/*.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHEETS = sorted((ROOT / "datasets").glob("*.md"))
LONGEST = 40  # words in a sentence
# names in code that look like slips
NOT_OURS = "dout,nd,ot,fo,te,fpr,nin,whos,chek"

_FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
_INLINE = re.compile(r"(?<![\\$])\$(?!\$)([^$\n]+(?:\n[^$\n]+)?)\$(?!\$)")
_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def without_code(text: str) -> str:
    return _FENCE.sub("", _FRONT.sub("", text))


# --- spelling ------------------------------------------------------------------------------------


@pytest.mark.skipif(
    importlib.util.find_spec("codespell_lib") is None, reason="codespell is not installed"
)
def test_the_spelling_is_right():
    paths = [*LESSONS, *PAGES, *SHEETS, *sorted((ROOT / "grader").glob("**/*.py"))]
    command = [sys.executable, "-m", "codespell_lib", "-L", NOT_OURS, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout == "", done.stdout.replace(f"{ROOT}/", "")
    assert done.returncode == 0, done.stderr


# --- links ---------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The ids that headings get, as on GitHub."""
    headings = re.findall(r"^#+ (.*)$", without_code(text), re.MULTILINE)
    plain = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", h).lower() for h in headings)
    return {re.sub(r"[^\w\- ]", "", h).strip().replace(" ", "-") for h in plain}


@pytest.mark.parametrize("path", [*LESSONS, *PAGES, *SHEETS], ids=name_of)
def test_every_link_leads_somewhere(path):
    """Inside the course: to a file or heading that is there. Outside: well formed, not asked."""
    for _, target in _LINK.findall(_CODE.sub("", without_code(path.read_text("utf-8")))):
        parts = urlsplit(target)
        if parts.scheme:
            assert parts.scheme in ("https", "http", "mailto"), target
            assert parts.scheme == "mailto" or "." in parts.netloc, target
            continue
        place = path.parent / unquote(parts.path) if parts.path else path
        assert place.exists(), f"{target}: there is no {place.name}"
        if parts.fragment and place.suffix == ".md":
            assert parts.fragment in anchors(place.read_text("utf-8")), target


def test_an_anchor_is_what_a_heading_becomes():
    assert anchors("# With nbgrader's own `tools`\n```\n# no\n```\n") == {
        "with-nbgraders-own-tools"
    }


# --- formulas ------------------------------------------------------------------------------------


def formulas(text: str) -> list[str]:
    prose = _CODE.sub("", without_code(text))
    display = _DISPLAY.findall(prose)
    return display + _INLINE.findall(_DISPLAY.sub("", prose))


def flaw(formula: str) -> str:
    """Why a formula cannot be read; "" if it can."""
    math_core = pytest.importorskip("math_core", reason="math-core is not installed")
    try:
        math_core.LatexToMathML().convert_with_local_state(formula.strip(), displaystyle=True)
    except math_core.LatexError as problem:
        return str(problem)
    return ""


@pytest.mark.parametrize("path", [*LESSONS, *PAGES], ids=name_of)
def test_every_formula_can_be_shown(path):
    text = path.read_text("utf-8")
    broken = {formula: found for formula in formulas(text) if (found := flaw(formula))}
    assert broken == {}
    rest = _INLINE.sub("", _DISPLAY.sub("", _CODE.sub("", without_code(text))))
    assert "$" not in rest.replace(r"\$", ""), "a dollar without its partner"


@pytest.mark.parametrize(
    "formula", [r"\frac{a}{b", r"a}{b", r"\sigmoid(x)", r"\left( x", r"\begin{x}\end{y}", "x_"]
)
def test_a_broken_formula_is_found(formula):
    assert flaw(formula)


@pytest.mark.parametrize(
    "formula", [r"\frac{\partial L}{\partial w}", r"\{x : x > 0\}", r"\left(\tfrac14\right)^2"]
)
def test_a_sound_formula_passes(formula):
    assert flaw(formula) == ""


# --- words and lengths ---------------------------------------------------------------------------


def sentences(text: str) -> list[str]:
    """The prose of a page, sentence by sentence; formulas and code count as one word."""
    prose = re.sub(r"<!--.*?-->", "", without_code(text), flags=re.DOTALL)
    prose = re.sub(r"^\+\+\+.*$|^\{exercise\}.*$", "", prose, flags=re.MULTILINE)
    prose = _INLINE.sub("F", _DISPLAY.sub("F\n\n", _CODE.sub("C", prose)))
    prose = _LINK.sub(r"\1", prose)
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:[-*>|#]|\d+\.)\s?)", prose)
    found = []
    for block in blocks:
        line = " ".join(re.sub(r"^[>#*\-| ]+", "", row) for row in block.splitlines())
        found += re.split(r"(?<=[.?!:])[\"*)”]*\s+(?=[\"*(“]*[A-Z0-9])", line)
    return [sentence.strip() for sentence in found if sentence.strip()]


@pytest.mark.parametrize("path", LESSONS, ids=name_of)
def test_no_sentence_is_long_or_says_just(path):
    told = sentences(path.read_text("utf-8"))
    assert [each for each in told if len(each.split()) > LONGEST] == []
    assert [each for each in told if re.search(r"(?i)\b(just|simply|obviously)\b", each)] == []


def test_sentences_are_told_apart():
    text = "---\na: 1\n---\n# Title\n\nOne $a. B$ here. Two `x. Y`: and\nmore.\n- Three.\n"
    text += "\n```\nno\n```"
    assert sentences(text) == ["Title", "One F here.", "Two C: and more.", "Three."]
