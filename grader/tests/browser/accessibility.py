"""axe-core on a piece of the page: what a screen reader or weak eyes would stumble over."""

from __future__ import annotations

from playwright.sync_api import Locator

try:
    from axe_playwright_python.base import AXE_SCRIPT
except ImportError:  # it is a dependency of the tests only
    AXE_SCRIPT = None

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
# Rules about a whole page; headings and landmarks are the notebook's, not the widget's.
NOT_OURS = ["region", "page-has-heading-one", "heading-order", "landmark-one-main"]


def violations(piece: Locator) -> list[str]:
    """Every violation in this piece of the page, one line each; `AXE_SCRIPT` is needed."""
    if piece.page.evaluate("() => typeof window.axe === 'undefined'"):
        piece.page.evaluate(AXE_SCRIPT)
    found = piece.evaluate(
        "(element, options) => axe.run(element, options).then(found => found.violations)",
        {
            "runOnly": RULES,
            "rules": {name: {"enabled": False} for name in NOT_OURS},
            "resultTypes": ["violations"],
        },
    )
    return [
        f"{each['id']}: {each['help']}: {node['html'][:160]}"
        for each in found
        for node in each["nodes"]
    ]
