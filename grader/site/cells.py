"""Cells as HTML: text with formulas as MathML, code in colours, outputs, explorers."""

from __future__ import annotations

import html
import json
import re
from functools import lru_cache
from typing import Any

from math_core import LatexError, LatexToMathML
from nbconvert.filters import ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from grader.course import CourseError
from grader.site.run import EXPLORER

CODE_STYLES = {"light": "xcode", "dark": "github-dark"}
_POINTER = re.compile(r"\((\w+\.ipynb)\)(\*\* `(\w+)`)")


class _Text(IPythonRenderer):
    """Markdown to HTML; formulas are drawn by the browser itself, so no script is needed."""

    def heading(self, text: str, level: int, **attributes: Any) -> str:
        return f'<h{level} id="{slug(text)}">{text}</h{level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        page, mark, place = url.partition("#")
        if page.endswith(".ipynb"):
            url = page.rsplit("/", 1)[-1].removesuffix(".ipynb") + ".html" + mark + place
        elif not url.startswith(("#", "http")):
            return text  # a file of the repository: not on the site
        return str(super().link(text, url, title))

    def table_cell(self, text: str, align: str | None = None, head: bool = False) -> str:
        kind = "th" if head and text else "td"  # an empty heading says nothing to a screen reader
        return f"<{kind}>{text}</{kind}>\n"

    def block_math(self, body: str) -> str:
        return f'<div class="formula">{mathml(body, block=True)}</div>'

    def inline_math(self, body: str) -> str:
        return mathml(body, block=False)


def slug(text: str) -> str:
    """A heading as the name of its place: "Nudge it and see" is nudge-it-and-see."""
    plain = html.unescape(re.sub(r"<math.*?</math>|<[^>]+>", "", text))
    return re.sub(r"\W+", "-", plain.lower()).strip("-")


@lru_cache(maxsize=1)
def _converter() -> LatexToMathML:
    return LatexToMathML()


def mathml(latex: str, block: bool) -> str:
    """A formula as MathML.

    Raises
    ------
    CourseError
        For a formula that cannot be read.
    """
    try:
        return str(_converter().convert_with_local_state(latex.strip(), displaystyle=block))
    except LatexError as problem:
        raise CourseError(f"The formula {latex.strip()!r} cannot be drawn: {problem}") from None


def text(source: str) -> str:
    """Markdown as HTML. Links to notebooks lead to their pages, and to the exercise named."""
    source = _POINTER.sub(r"(\1#\3)\2", source)
    return str(MarkdownWithMath(renderer=_Text(escape=False)).render(source))


def code(source: str) -> str:
    """Python in colours."""
    return highlight(source, PythonLexer(), HtmlFormatter(cssclass="code", wrapcode=True))


def code_styles() -> str:
    """Rules for the colours of code, light and dark."""
    light, dark = (HtmlFormatter(style=CODE_STYLES[name]) for name in ("light", "dark"))
    rules = light.get_style_defs(".code"), dark.get_style_defs(".code")
    return f"{rules[0]}\n@media (prefers-color-scheme: dark) {{\n{rules[1]}\n}}\n"


def cell(this: NotebookNode) -> str:
    """A cell with its outputs."""
    if this.cell_type == "markdown":
        return text(this.source)
    return "\n".join([code(this.source), *map(output, this.outputs)])


def output(this: NotebookNode) -> str:
    """One output: the richest kind that a page without a kernel can show."""
    if this.output_type == "stream":
        return _printed(this.text)
    if this.output_type == "error":
        return _printed("\n".join(this.traceback))
    data = this.data
    if EXPLORER in data:
        return _explorer(data[EXPLORER], data["text/html"])
    if "text/html" in data:
        return f'<div class="output">{data["text/html"]}</div>'
    if "image/png" in data:
        alt = html.escape(data.get("text/plain", ""))
        return f'<img alt="{alt}" src="data:image/png;base64,{data["image/png"]}">'
    return _printed(data.get("text/plain", ""))


def _printed(words: str) -> str:
    return f'<pre class="output">{ansi2html(words)}</pre>'


def _explorer(widget: dict, picture: str) -> str:
    """An explorer's picture, and beside it all that `site.js` needs to bring it to life."""
    if "own_name" in widget["state"]:  # a function of the lesson: it would need a kernel
        widget = {**widget, "state": {**widget["state"], "own_name": "", "own": {}}}
    data = json.dumps(widget, sort_keys=True).replace("</", "<\\/")
    script = f'<script type="application/json">{data}</script>'
    return f'<div class="output explorer">{picture}{script}</div>'
