"""One HTML page that plays a journey: data, script and style inside it, and nothing that it could fetch."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from simulator.export.transcript import wrapped
from simulator.trace.trace import Trace
from simulator.views.hops import hops
from simulator.views.lens import Lens, lens_of, seen_lines
from simulator.views.player.asks import Ask, place_asks
from simulator.views.player.data import player_data
from simulator.views.steps import Step, steps

FRAME_HEIGHT = 760
"""Of the player in a notebook, in pixels."""
MOST_TEXT_LINES = 12
"""Of one step, in the text that stands below the player in a notebook."""

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect x='2' y='6' width='28'"
    " height='20' rx='3' fill='%231f5fbf'/%3E%3Cpath d='M4 9l12 9 12-9' fill='none' stroke='white' stroke-width='2.5'/"
    "%3E%3C/svg%3E"
)


def page(
    trace: Trace,
    *,
    title: str = "",
    lens: str | Lens | None = None,
    present: bool = False,
    asks: Iterable[Ask] = (),
    pane: str | None = None,
) -> str:
    """Return the whole page. `pane` is "map", "ladder", "wire" or "all"; `present` makes all text large.

    Everything that a lens can show is in the file, so also a password that its sender may see. The policy of the page
    forbids the browser to fetch or send anything: only the script and the style inside may run, by hash.
    Raises UsageError when nothing happened, and for a lens, pane or question that does not exist.
    """
    return packed(player_data(trace, title=title, lens=lens, present=present, asks=asks, pane=pane))


def packed(data: dict[str, Any]) -> str:
    """Return the page for data of `simulator.views.player.data.player_data`."""
    script, style = asset("player.js"), asset("player.css")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<link rel="icon" href="{ICON}">\n'
        f"<title>{html.escape(data['title'])}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<script type="application/json" id="journey">{embedded(data)}</script>\n'
        "<noscript><p>This page plays a journey with a script. Without scripts, write the journey as text: "
        'journey.export("journey.txt")</p></noscript>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def fragment(
    trace: Trace,
    *,
    title: str = "",
    lens: str | Lens | None = None,
    present: bool = False,
    asks: Iterable[Ask] = (),
    pane: str | None = None,
) -> str:
    """Return the player for a notebook: the page in a closed frame, and below it the same as text.

    A notebook that is not trusted drops the frame; the text, and how to save the page, remain.
    """
    asks = tuple(asks)
    whole = page(trace, title=title, lens=lens, present=present, asks=asks, pane=pane)
    told = "\n".join(text_ladder(trace, lens=lens, asks=asks))
    return (
        f'<iframe sandbox="allow-scripts" title="Player: the journey step by step" width="100%" '
        f'height="{FRAME_HEIGHT}" style="border:0;display:block" srcdoc="{html.escape(whole)}"></iframe>\n'
        "<details><summary>The journey as text</summary>\n"
        f'<pre style="line-height:1.3;overflow:auto">{html.escape(told)}</pre></details>\n'
        '<p>No player above? Save the page and open it in a browser: <code>journey.export("journey.html")</code></p>\n'
    )


def text_ladder(trace: Trace, *, lens: str | Lens | None = None, asks: Iterable[Ask] = ()) -> Iterator[str]:
    """Yield the steps as text, seen through a lens, up to the first question."""
    chosen, found, titles = lens_of(lens, trace), steps(trace), {hop.number: hop.title for hop in hops(trace)}
    stops = place_asks(asks, found)
    yield "Marks: -> <- readable by anyone on the path; ~> <~ inside TLS; -- not said, but happened."
    hop: int | None = None
    for step in found[: stops[0][0]] if stops else found:
        words = seen_lines(chosen, step)
        if not words:
            continue
        if step.hop != hop:
            hop = step.hop
            # The whole title tells how protected it is, which may be what is asked.
            name = titles[hop].partition(",")[0] if hop else "Between the servers"
            yield from ("", name)
        yield from _step_lines(step, words)
    if stops:
        yield from ("", f"Question: {stops[0][1].question}")


def _step_lines(step: Step, words: tuple[str, ...]) -> Iterator[str]:
    where = "" if step.said else f"{step.from_host}: " if not step.travels else f"{step.from_host} to {step.to_host}: "
    start = f"  {step.from_s * 1000:10.3f} ms  {step.mark} "
    shown = words if len(words) <= MOST_TEXT_LINES else words[: MOST_TEXT_LINES - 1]
    for line in shown:
        yield from wrapped(start, where + line) if not step.said else (start + line,)
        start, where = " " * len(start), ""
    if len(shown) < len(words):
        yield f"{start}[... {len(words) - len(shown)} more lines ...]"


@cache
def asset(name: str) -> str:
    """Return a file of the player, with "\\n" at the ends of its lines: the hash is taken of that."""
    text = (files("simulator.views.player") / name).read_text(encoding="utf-8").replace("\r\n", "\n")
    # An HTML parser ends a script at its end tag, wherever that stands.
    assert "</s" not in text.lower(), f"{name} would end its own element"
    return text


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def embedded(data: dict[str, Any]) -> str:
    """Return data as JSON that can stand inside a script element, whatever texts are in it.

    Parts behind a question are base64 of their JSON: not to be read at first sight, but no secret.
    """
    first, *later = data["parts"]
    hidden = [
        base64.b64encode(json.dumps(part, ensure_ascii=False).encode("utf-8", "replace")).decode() for part in later
    ]
    text = json.dumps(data | {"parts": [first, *hidden]})  # ASCII only, so U+2028 and lone surrogates are escaped too
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
