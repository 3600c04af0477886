"""Moving sliders in the browser: does the picture follow, how soon, and without flicker?"""

from __future__ import annotations

import statistics

from playwright.sync_api import Locator, Page

# One string that differs whenever what is drawn, or a table beside it, differs. A picture that is
# still loading gives null: the old one stays on the screen, so nothing has changed yet.
DRAWN = """widget => {
  const parts = [...widget.querySelectorAll("img, canvas, svg, table")].map(element => {
    if (element.tagName === "IMG") return element.complete ? element.src : null;
    return element.tagName === "CANVAS" ? element.toDataURL() : element.outerHTML;
  });
  return parts.includes(null) ? null : parts.join();
}"""

# Notes when a key or the mouse moves, and when a frame with another picture has been painted.
WATCH = f"""widget => {{
  const drawn = {DRAWN};
  const seen = window.nnSeen = {{moves: [], changes: [], heights: new Set(), stop: false}};
  const note = event => {{ if (!seen.stop) seen.moves.push(event.timeStamp); }};
  for (const kind of ["keydown", "pointermove"]) window.addEventListener(kind, note, true);
  let last = drawn(widget);
  const painted = new MessageChannel();
  painted.port1.onmessage = () => seen.changes.push(performance.now());
  const look = () => {{
    const now = drawn(widget);
    if (now && now !== last) {{ last = now; painted.port2.postMessage(0); }}
    seen.heights.add(Math.round(widget.querySelector("img, canvas, svg")?.clientHeight ?? 0));
    if (!seen.stop) requestAnimationFrame(look);
  }};
  requestAnimationFrame(look);
}}"""

HANDLES = ".noUi-handle, input[type=range]"


def handles(widget: Locator) -> list[Locator]:
    """The handles of the sliders that are shown."""
    return [handle for handle in widget.locator(HANDLES).all() if handle.is_visible()]


def name_of(handle: Locator) -> str:
    """What a screen reader calls the slider."""
    return handle.evaluate("h => h.ariaLabel || h.labels?.[0]?.textContent.trim() || ''")


def follows_keys(widget: Locator, handle: Locator) -> bool:
    """The picture changes at an arrow key; to the right, or at the end to the left."""
    handle.focus()
    return any(_changes(widget, lambda k=key: handle.press(k)) for key in _KEYS)


_KEYS = ("ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowRight")


def follows_mouse(widget: Locator, handle: Locator) -> bool:
    """The picture changes when the handle is dragged, to one side or to the other."""
    return any(_changes(widget, lambda d=dx: _drag(handle, d)) for dx in (40, -80))


def key_presses(widget: Locator, handle: Locator, count: int = 12) -> list[float]:
    """Milliseconds from each key press to the changed picture; presses without one are left out."""
    page, found = widget.page, []
    handle.focus()
    handle.press("Home")
    page.wait_for_timeout(600)
    widget.evaluate(WATCH)
    for _ in range(count):
        page.evaluate("() => { nnSeen.moves.length = nnSeen.changes.length = 0; }")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(300)  # no polling: it would disturb what it measures
        moves, changes = page.evaluate("() => [nnSeen.moves, nnSeen.changes]")
        if changes:
            found.append(changes[0] - moves[0])
    _stop(page)
    return found


def fast_drag(widget: Locator, handle: Locator, moves: int = 90) -> float:
    """Drag there and back: ms from the last move to the last picture; it must not flicker."""
    page = widget.page
    handle.evaluate("h => h.scrollIntoView({block: 'center'})")
    box = handle.bounding_box()
    track = handle.evaluate(
        "h => { const r = (h.closest('.noUi-base') ?? h).getBoundingClientRect();"
        " return [r.left, r.width]; }"
    )
    assert box
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.wait_for_timeout(400)
    widget.evaluate(WATCH)
    for k in range(moves):
        share = abs(1 - 2 * k / (moves - 1))  # from the right end to the left and back
        page.mouse.move(track[0] + track[1] * (0.02 + 0.96 * share), middle)
        page.wait_for_timeout(8)
    page.wait_for_timeout(1200)
    page.mouse.up()
    last_move, changes, heights = page.evaluate(
        "() => [nnSeen.moves.at(-1), nnSeen.changes, [...nnSeen.heights]]"
    )
    _stop(page)
    late = [change - last_move for change in changes if change > last_move]
    assert len(heights) == 1 and heights[0] > 0, f"the picture flickers: heights {heights}"
    return max(late, default=0.0)


def summary(name: str, times: list[float]) -> str:
    """One line: the median, the 95th percentile and the number of moves."""
    ordered = sorted(times)
    high = ordered[round(0.95 * (len(ordered) - 1))]
    return f"{name:52s} median {statistics.median(ordered):5.0f}  p95 {high:5.0f}  n {len(times)}"


def _changes(widget: Locator, act) -> bool:
    before = widget.evaluate(DRAWN)
    act()
    for _ in range(20):
        widget.page.wait_for_timeout(100)
        now = widget.evaluate(DRAWN)
        if now and now != before:
            return True
    return False


def _drag(handle: Locator, dx: int) -> None:
    handle.scroll_into_view_if_needed()
    box, mouse = handle.bounding_box(), handle.page.mouse
    assert box
    # A native slider is one element: its thumb is where its value is.
    share = handle.evaluate("h => h.type === 'range' ? (h.value - h.min) / (h.max - h.min) : 0.5")
    x, y = box["x"] + 8 + (box["width"] - 16) * share, box["y"] + box["height"] / 2
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + dx, y, steps=4)
    mouse.up()


def _stop(page: Page) -> None:
    page.evaluate("() => { nnSeen.stop = true; }")
