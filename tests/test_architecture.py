"""Who may import whom. The tables are the architecture; these tests keep them true, and say why when they are not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SIMULATOR = ROOT / "simulator"

MAY_IMPORT = {
    "errors": set[str](),
    "trace": set[str](),
    "protocol": {"trace"},
    # the live half, from the cable up to a whole internet
    "network": {"protocol", "trace"},
    "tls": {"network", "protocol", "trace"},
    "dns": {"network", "protocol", "trace"},
    "smtp": {"tls", "dns", "network", "protocol", "trace"},
    "delivery": {"smtp", "tls", "dns", "network", "protocol", "trace"},
    "relay": {"smtp", "tls", "dns", "network", "protocol", "trace"},
    "submission": {"delivery", "relay", "smtp", "tls", "dns", "network", "protocol", "trace"},
    "internet": {"submission", "relay", "delivery", "smtp", "tls", "dns", "network", "protocol", "trace"},
    "scenarios": {"internet", "submission", "relay", "delivery", "smtp", "tls", "dns", "network", "protocol", "trace"},
    # the reading half
    "views": {"export", "protocol", "trace"},
    "export": {"views", "protocol", "trace"},
    "exercises": {"views", "protocol", "trace"},
    "course": {"exercises"},
}
"""Room -> the rooms that it may import, besides `errors` and itself."""

WHY = {
    "errors": "every room raises them, so they must not pull any room in",
    "trace": "a trace must be readable without anything that made it",
    "protocol": "the language of SMTP is rules on octets: no network, no clock",
    "network": "the cable does not know what is said on it",
    "tls": "locks know nothing of mail",
    "dns": "the DNS knows nothing of mail servers",
    "smtp": "how to talk does not depend on whose mail it is; the three steps are above it",
    "delivery": "step 3 must not know who submits or relays: it takes mail from anybody",
    "relay": "step 2 must not know how a message was submitted, nor the inside of the server that it is for",
    "submission": "step 1 may use step 2 (its queue) and step 3 (who has a mailbox here), but nothing that starts them",
    "internet": "it puts rooms together and must not know how one looks at what happens",
    "scenarios": "a story is a plan and what to expect; who tells it, and how, is another matter",
    "views": "views read traces: they must work on a file of last week, so they never import the live half",
    "export": "exports read traces: they must work on a file of last week, so they never import the live half",
    "exercises": "checks read traces, not return values: so they never import the live half",
    "course": "it makes notebooks out of texts: what runs in them is up to the lessons",
}

READING = {"trace", "protocol", "views", "export", "exercises", "errors"}
FILES_ON_TOP = {"journey": (READING, "a saved journey must open without starting the live half")}
"""Files directly in simulator/ that may import only some rooms; the others may import everything."""

IO_LIBRARIES = {"asyncio", "concurrent", "select", "selectors", "socket", "ssl", "threading", "aiosmtpd", "aiosmtplib"}
IO_FILES = {
    "dns/server.py", "dns/exchange.py", "dns/resolver.py",
    "tls/contexts.py",
    "smtp/server.py", "smtp/client.py", "smtp/connection.py", "smtp/console.py", "smtp/starttls.py",
    "submission/client.py", "submission/server.py",
    "relay/worker.py", "relay/transit.py",
    "delivery/server.py",
    "internet/internet.py",
    "aio.py", "sync.py", "cli.py", "doctor.py", "serve.py", "course/run.py",
}  # fmt: skip
"""The only files outside network/ that may touch sockets, TLS, threads or the loop. All others are rules."""

ONE_PLACE = {
    "trustme": {"tls/authority.py"},
    "dns": {path.relative_to(SIMULATOR).as_posix() for path in (SIMULATOR / "dns").rglob("*.py")},
}
"""Library -> the only files that may import it."""

SOURCES = sorted(path.relative_to(SIMULATOR).as_posix() for path in SIMULATOR.rglob("*.py"))


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of everything that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative imports hide who imports whom; write the whole name"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def room_of(file: str) -> str:
    """Return the room that a file belongs to; a file directly in simulator/ is a room by itself."""
    return file.partition("/")[0].removesuffix(".py")


def faults(file: str, source: str) -> list[str]:
    """Return what is wrong with the imports of a file, one sentence each."""
    room = room_of(file)
    allowed, why = (MAY_IMPORT[room], WHY[room]) if room in MAY_IMPORT else FILES_ON_TOP.get(room, (None, ""))
    found = []
    for line, name in imports(source):
        place = f"simulator/{file}, line {line}, imports"
        library, *rest = name.split(".")
        if library == "simulator" and rest and allowed is not None and rest[0] not in allowed | {room, "errors"}:
            found.append(f"{place} simulator.{rest[0]}: {why}")
        if library in IO_LIBRARIES and room != "network" and file not in IO_FILES:
            found.append(f"{place} {library}: rules and IO stay apart; let one of the files in IO_FILES do it")
        if library in ONE_PLACE and file not in ONE_PLACE[library]:
            found.append(f"{place} {library}, which only {', '.join(sorted(ONE_PLACE[library]))} may do")
    return found


@pytest.mark.parametrize("file", SOURCES)
def test_imports_point_the_right_way(file: str) -> None:
    found = faults(file, (SIMULATOR / file).read_text(encoding="utf-8"))
    assert not found, "\n" + "\n".join(found)


def test_every_room_has_a_place_and_a_reason() -> None:
    rooms = {room_of(file) for file in SOURCES if "/" in file}
    assert rooms <= MAY_IMPORT.keys()
    assert MAY_IMPORT.keys() == WHY.keys()


def test_no_arrow_has_an_arrow_back() -> None:
    # views and exports share one layer
    for room, others in MAY_IMPORT.items():
        for other in others:
            one_layer = {room, other} == {"views", "export"}
            assert room not in MAY_IMPORT[other] or one_layer, f"{room} and {other} import each other"


def test_the_io_files_exist() -> None:
    for file in IO_FILES:
        assert file in SOURCES, f"{file} is in the list of IO files but does not exist"


@pytest.mark.parametrize(
    ("file", "source", "expected"),
    [
        ("trace/trace.py", "import socket", "rules and IO stay apart"),
        ("views/place.py", "def draw():\n    from simulator.network import loop", "never import the live half"),
        ("smtp/rules.py", "from simulator import relay", "three steps are above it"),
        ("journey.py", "def load():\n    import simulator.internet.internet", "without starting the live half"),
        ("tls/contexts.py", "import trustme", "which only tls/authority.py may do"),
        ("smtp/rules.py", "if True:\n    import asyncio.sslproto as s", "line 2, imports asyncio"),
    ],
)
def test_the_check_finds_what_it_is_for(file: str, source: str, expected: str) -> None:
    assert expected in "\n".join(faults(file, source))


@pytest.mark.parametrize("lesson", sorted((ROOT / "lessons").rglob("*.py")), ids=lambda path: path.parent.name)
def test_lessons_use_public_names_only(lesson: Path) -> None:
    for line, name in imports(lesson.read_text(encoding="utf-8")):
        if name.startswith("simulator"):
            assert not any(part.startswith("_") for part in name.split(".")), (
                f"{lesson.name}, line {line}: {name} is private"
            )
