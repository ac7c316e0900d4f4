"""Promises about the whole project: sources are named, nothing points at anybody real, imports are installed."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from simulator import __version__

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("simulator", "lessons", "notebooks", "tests", "docs", "benchmarks")
ENDINGS = {".py", ".md", ".ipynb", ".txt", ".toml", ".html", ".js", ".css", ".eml", ".zone", ".json", ".jsonl"}
TEXTS = sorted(
    path
    for found in (ROOT.iterdir(), *((ROOT / folder).rglob("*") for folder in FOLDERS))
    for path in found
    if path.suffix in ENDINGS and ".ipynb_checkpoints" not in path.parts
)


def name(path: Path) -> str:
    """Return the path as it is shown in messages."""
    return path.relative_to(ROOT).as_posix()


def prose(path: Path) -> str:
    """Return what a file says: all of a text; of Python code only strings and comments."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return text
    kinds = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return "\n".join(token.string for token in tokens if token.type in kinds)


# --- sources ---------------------------------------------------------------------------------------------------------

STATES = {"in", "partial", "not in", "used", "cited"}
ROW = re.compile(r"^\| \[(\d+)\]\(https://www\.rfc-editor\.org/rfc/rfc\1\) \|[^|]+\| ([^|]+) \|", re.MULTILINE)
ROWS: dict[str, str] = dict(ROW.findall((ROOT / "docs/rfcs.md").read_text("utf-8")))
CODE = {
    path: path.read_text("utf-8") for folder in ("simulator", "lessons") for path in sorted((ROOT / folder).rglob("*.py"))
}


def test_every_rfc_that_the_code_cites_has_a_row() -> None:
    missing = {
        f"RFC {number} ({name(path)})"
        for path, text in CODE.items()
        for number in re.findall(r"\bRFC ?(\d+)", text)
        if number not in ROWS
    }
    assert not missing, f"docs/rfcs.md does not say what is in and what is not of {', '.join(sorted(missing))}"


def test_every_row_says_a_known_state_and_what_is_in_is_cited_by_the_code() -> None:
    code = "\n".join(CODE.values())
    assert set(ROWS.values()) <= STATES
    unfounded = [number for number, state in ROWS.items() if state != "not in" and f"RFC {number}" not in code]
    assert not unfounded, f"docs/rfcs.md claims RFC {unfounded}, but no line of the code names it"


def test_rfcs_are_written_so_that_one_search_finds_them() -> None:
    odd = [
        f"{name(path)}: {found}"
        for path in TEXTS
        if path.suffix == ".py"
        for found in re.findall(r"\b(?:RFC\d+|rfc ?\d+ sec\w*)", prose(path))
    ]
    assert not odd, f'write "RFC 5321 section 4.2": {odd}'


# --- nothing points at anybody real ----------------------------------------------------------------------------------

SOURCES_ON_THE_WEB = (
    "rfc-editor.org",
    "ietf.org",
    "iana.org",
    "python.org",
    "pypi.org",
    "keepachangelog.com",
    "semver.org",
    "w3.org",
    "jupyter.org",
    "github.com",
)
"""Sites that texts may point to. None of them ever receives mail or a connection from here."""
RESERVED = re.compile(r"(?:^|\.)(?:example|test|invalid|localhost|example\.(?:com|net|org))$")  # RFC 2606, RFC 6761
TOP_LEVEL = "com|org|net|edu|gov|mil|info|biz|de|ch|uk|fr|nl|eu|us"


def real_names(text: str) -> Iterator[str]:
    """Yield host names and mail addresses that may exist in the world."""
    for found in re.findall(rf"(?<![\w.@-])(?:[a-z0-9-]+\.)+(?:{TOP_LEVEL})(?![\w-]|\.\w|\()", text, re.IGNORECASE):
        site = found.lower()
        known = any(site == source or site.endswith(f".{source}") for source in SOURCES_ON_THE_WEB)
        if not known and not RESERVED.search(site):
            yield found
    for found in re.findall(r"[\w.+-]+@((?:[a-z0-9-]+\.)+[a-z]+)", text, re.IGNORECASE):
        if not RESERVED.search(found.lower()):
            yield f"@{found}"


def real_addresses(text: str) -> Iterator[str]:
    """Yield IP addresses that may belong to somebody; section numbers of RFCs look alike and are left out."""
    text = re.sub(r"\bsections? [\d., and]+", "", text)
    four = re.findall(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.[\w])", text)
    six = re.findall(r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])", text, re.IGNORECASE)
    for found in (*four, *six):
        try:
            address = ip_address(found)
        except ValueError:
            continue
        if address.is_global:
            yield found


ABOUT_THEM = {
    "tests/network/test_loopback_only.py": {"8.0.2.0", "::ffff:127"},  # what the network must refuse
    "tests/test_house.py": {"8.0.2.0", "::ffff:127", "5.1.1.1"},
    "tests/protocol/test_replies.py": {"5.1.1.1"},  # not an address: a status code with one part too many
}
"""Where something that looks like a real address is the subject."""


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_only_reserved_names_and_addresses(path: Path) -> None:
    said = prose(path)
    if path == Path(__file__):
        said = re.sub(r"gmail\.com|8\.8\.8\.8|2600::1", "", said)  # the test of the search, below
    found = sorted({*real_names(said), *real_addresses(said)} - ABOUT_THEM.get(name(path), set()))
    assert not found, (
        f"{name(path)} names {', '.join(found)}: use names under .example or .test (RFC 2606) and addresses "
        "in 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24 or 2001:db8::/32 (RFC 5737, RFC 3849)"
    )


def test_the_search_for_real_names_finds_them() -> None:
    assert list(real_names("bob@bob.example, www.rfc-editor.org, see example.com")) == []
    assert list(real_names("mx.gmail.com; bob@gmail.com")) == ["mx.gmail.com", "@gmail.com"]
    assert list(real_addresses("127.0.0.1, 192.0.2.1, section 4.5.3.2, 2001:db8::1, [::1], 10:20:30")) == []
    assert list(real_addresses("8.8.8.8, then 2600::1.")) == ["8.8.8.8", "2600::1"]


MACHINE_PATH = re.compile(r"(?<![\w./~-])/(?:home|root|Users|work|farm|tmp|var/folders)/\w|[A-Z]:\\\\?Users\\")


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_no_path_of_one_machine(path: Path) -> None:
    found = MACHINE_PATH.search(prose(path)) if path != Path(__file__) else None
    assert found is None, f"{name(path)} contains {found[0] if found else ''!r}, which exists on one machine only"


# --- code ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path for path in CODE if path.name != "lesson.py"], ids=name)
def test_every_file_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(CODE[path]))
    assert docstring, f"{name(path)} has no docstring"
    assert len(docstring.split()) >= 3, f"{name(path)}: say in a sentence what the file is for"


# --- what is installed -----------------------------------------------------------------------------------------------

LISTS = ("requirements.txt", "requirements-test.txt")
IMPORT_NAMES = {"dns": "dnspython", "jupyterlab": "jupyter"}
"""Name to import -> name to install, where they differ."""


def requirements(file: str) -> dict[str, str]:
    """Return package -> version bounds."""
    lines = [line for line in (ROOT / file).read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return {re.split(r"[<>=]", line)[0]: line for line in lines}


@pytest.mark.parametrize("file", LISTS)
def test_every_requirement_has_bounds_and_a_reason(file: str) -> None:
    for package, line in requirements(file).items():
        assert re.match(rf"{package}>=[\d.]+,<[\d.]+ +# \w", line), (
            f"{file}: write {package}>=1.2,<2  # why it is needed"
        )


OURS = {*sys.stdlib_module_names, "simulator", "benchmarks", "support", "start"}


@pytest.mark.parametrize(
    ("folders", "files"), [(("simulator", "lessons"), LISTS[:1]), (("tests", "benchmarks"), LISTS)]
)
def test_everything_imported_is_installed(folders: tuple[str, ...], files: tuple[str, ...]) -> None:
    listed = {package for file in files for package in requirements(file)}
    for path in (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for library in {imported.partition(".")[0] for imported in names} - OURS:
                assert IMPORT_NAMES.get(library, library) in listed, (
                    f"{name(path)} imports {library}: add it to {files[-1]}"
                )


# --- what the texts promise ------------------------------------------------------------------------------------------


def test_ci_runs_the_commands_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    ci = (ROOT / ".ci/run").read_text("utf-8")
    for command in ("python3 start.py", "python3 start.py test"):
        assert re.search(rf"^ +{command}(?: {{2,}}.*)?$", readme, re.MULTILINE), f"the README does not show {command}"
    assert re.search(r"python3 start\.py test$", ci, re.MULTILINE)


def test_links_between_our_own_texts_lead_somewhere() -> None:
    broken = [
        f"{name(path)} -> {target}"
        for path in TEXTS
        if path.suffix == ".md"
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text("utf-8"))
        if not (path.parent / target).exists()
    ]
    assert not broken, f"these links lead nowhere: {broken}"


def test_the_changelog_knows_this_version() -> None:
    headings = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased" or headings[0] == __version__
