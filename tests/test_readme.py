"""The README is a walkthrough that works: its commands are understood, and its Python does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator import compare, course
from simulator.cli import parser
from simulator.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    python3 start\.py(.*?)(?:  +\S.*)?$", README, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_exists(command: str) -> None:
    words = command.split()
    if words[:1] == ["test"]:
        return  # start.py itself deals with it: tests/test_start_script.py
    chosen = parser().parse_args(words)
    assert callable(chosen.run)


def test_the_commands_of_the_first_screen_are_there() -> None:
    assert COMMANDS[:2] == ["", " test"]
    assert len(COMMANDS) > 5
    with pytest.raises(UsageError):
        parser().parse_args(["no-such-command"])


def test_the_python_example_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found
    monkeypatch.chdir(tmp_path)
    exec(compile(found[1], "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "~> MAIL FROM:<alice@alice.example>" in printed
    assert re.search(r"^9$", printed, re.MULTILINE)  # round trips: STARTTLS with TLS 1.3, AUTH and PIPELINING
    assert "10 mx.bob.example." in printed
    assert "\nHello Bob\n" in printed
    assert "submissions (tcp)" in printed
    assert (tmp_path / "j.jsonl").exists()


def test_the_numbers_under_the_picture_are_counted() -> None:
    told = re.search(r"Until MAIL\s+it takes (\d+), (\d+) and (\d+) round trips", README)
    assert told
    assert [int(number) for number in told.groups()] == [each.until_mail for each in compare().columns]


def test_the_units_in_the_table_are_the_units() -> None:
    numbers = re.findall(r"^\| (\d)\. ", README, re.MULTILINE)
    assert numbers == [name[1] for name in course.lessons()]


def test_the_picture_is_a_picture() -> None:
    for name in re.findall(r"\]\((docs/pictures/[^)]+\.png)\)", README):
        assert (ROOT / name).read_bytes().startswith(b"\x89PNG\r\n")
