"""The course as a static site: pages that need no kernel and no network. Results are folded until wanted."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulator.course.build import GLOSSARY, LESSONS, NOTEBOOKS, SOLVED, glossary_page, lessons, notebook, title_of
from simulator.course.plans import read_plan
from simulator.course.run import run_notebook
from simulator.errors import UsageError

STYLE = (Path(__file__).parent / "site.css").read_text(encoding="utf-8")


def build_site(
    into: Path, *, execute: bool = True, say: Callable[[str], object] = lambda text: None
) -> list[Path]:
    """Write one page per unit, the glossary and an index; return the files.

    With `execute` the solved notebooks are run first, so that their results are in the pages; `say` is told which.
    Raises UsageError when one fails, or when the folder cannot be written.
    """
    written = []
    for name, lesson in lessons().items():
        made = notebook(lesson, "teacher", "glossary.html")
        if execute:
            say(f"Running {name} ...")
            ran = run_notebook(NOTEBOOKS / SOLVED / f"{name}.ipynb", made)
            if ran.problem:
                raise UsageError(f"The unit {name} does not run: {ran.problem}")
        # The results are those of the solved notebook; the code is the learner's, which does not give them away.
        cut = [cell.source for cell in notebook(lesson, "learner").cells if cell.cell_type == "code"]
        written.append(_write(into / f"{name}.html", page(title_of(lesson), _cells(made, cut))))
    if GLOSSARY.exists():
        text = glossary_page().replace("../notebooks/", "").replace(".ipynb", ".html")
        written.append(_write(into / "glossary.html", page("Glossary", _markdown(text))))
    written.append(_write(into / "index.html", page("See how e-mail really travels", _index())))
    return written


def page(title: str, body: str) -> str:
    """Return a whole page around a body."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Nothing may be loaded from anywhere; the players bring their own rules.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-src 'self' data: about:\">\n"
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#main">To the text</a>\n'
        '<header><nav aria-label="Course"><a href="index.html">All units</a> · '
        '<a href="glossary.html">Glossary</a></nav>'
        f'</header>\n<main id="main">\n{body}\n</main>\n'
        "<footer><p>Made from recorded octets. Nothing on this page is drawn by hand, and nothing is loaded from "
        "anywhere.</p></footer>\n</body>\n</html>\n"
    )


def _cells(made: Any, cut: list[str]) -> str:
    parts, sources = [], iter(cut)
    for cell in made.cells:
        kind = (cell.metadata.get("tags") or ["core"])[0]
        if cell.cell_type == "markdown":
            text = _markdown(cell.source)
            if kind != "core" and "<h2" in text:
                words = {"if-time": "if there is time", "extension": "extension"}[kind]
                text = text.replace("</h2>", f' <span class="kind">{words}</span></h2>', 1)
            parts.append(text)
        else:
            parts.append(f'<pre tabindex="0"><code>{html.escape(next(sources))}</code></pre>')
            shown = "".join(_output(output) for output in cell.get("outputs", []))
            if shown:
                parts.append(f"<details><summary>Result: decide first, look then</summary>{shown}</details>")
    return "\n".join(parts)


def _output(output: Any) -> str:
    if output.output_type == "stream":
        return f'<pre tabindex="0">{html.escape(output.text)}</pre>'
    data, metadata = output.get("data", {}), output.get("metadata", {})
    if "image/png" in data:
        alt = metadata.get("image/png", metadata).get("alt", data.get("text/plain", ""))
        octets = data["image/png"].replace("\n", "")
        base64.b64decode(octets, validate=True)
        return f'<img alt="{html.escape(str(alt), quote=True)}" src="data:image/png;base64,{octets}">'
    if "text/html" in data:
        return str(data["text/html"])
    return f'<pre tabindex="0">{html.escape(data.get("text/plain", ""))}</pre>'


def _markdown(text: str) -> str:
    import mistune

    render = mistune.create_markdown(escape=True, plugins=["table"])
    made = str(render(text))
    return _with_anchors(made)


def _with_anchors(made: str) -> str:
    import re

    from simulator.course.glossary import anchor

    def heading(found: re.Match[str]) -> str:
        name = html.unescape(re.sub(r"<[^>]+>", "", found[2]))
        return f'<h{found[1]} id="{html.escape(anchor(name), quote=True)}">{found[2]}</h{found[1]}>'

    return re.sub(r"<h([23])>(.*?)</h\1>", heading, made, flags=re.DOTALL)


def _index() -> str:
    rows = []
    for name, lesson in lessons().items():
        plan_file = LESSONS / name / "plan.md"
        plan = read_plan(plan_file) if plan_file.exists() else None
        minutes = f"{plan.minutes('core')} minutes" if plan else "5 minutes"
        rows.append(f'<tr><td><a href="{name}.html">{html.escape(title_of(lesson))}</a></td><td>{minutes}</td></tr>')
    return (
        "<h1>See how e-mail really travels</h1>\n<p>A course on SMTP. Each page shows what really happened on a small "
        "internet inside one computer. Results are folded: decide first, look then.</p>\n"
        '<table><thead><tr><th scope="col">Unit</th><th scope="col">Core</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.") from error
    return path
