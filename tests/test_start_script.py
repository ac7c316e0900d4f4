"""`start.py` without a network: what it decides, and what it says when something is in the way."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, as if it lay in an empty folder with a blank and an umlaut in its name."""
    import start

    folder = tmp_path / "Grüße von hier"
    folder.mkdir()
    for name in (start.SIMULATOR, start.TESTS):
        (folder / name).write_text(f"{name} as it is\n", encoding="utf-8")
    venv = folder / ".venv"
    paths = {"ROOT": folder, "VENV": venv, "PYTHON": venv / "bin/python", "INSTALLED": venv / "installed.txt"}
    for name, value in paths.items():
        monkeypatch.setattr(start, name, value)
    return start


@pytest.fixture
def ready(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Everything works, and nothing is really done; what pip and Python were asked for is noted."""
    start.VENV.mkdir()
    asked: list[list[str]] = []
    monkeypatch.setattr(start, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(start, "pip", lambda arguments: asked.append(["pip", *map(os.path.basename, arguments)]))

    def run(arguments: list[str]) -> int:
        asked.append(arguments)
        return 5

    monkeypatch.setattr(start, "run", run)
    monkeypatch.setattr(start.os, "chdir", lambda folder: asked.append(["chdir"]))
    monkeypatch.setattr(start, "FIND_CODE", "")
    monkeypatch.setattr(start.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0))
    return asked


def test_first_start_installs_and_runs_the_main_job(start: ModuleType, ready: list[list[str]]) -> None:
    assert start.main([]) == 5
    assert ready == [["pip", "--requirement", "requirements.txt"], ["-m", "simulator"]]


def test_later_starts_install_nothing_and_pass_arguments_on(start: ModuleType, ready: list[list[str]]) -> None:
    start.main([])
    ready.clear()
    assert start.main(["send", "x.eml", "--to", "test"]) == 5
    assert ready == [["-m", "simulator", "send", "x.eml", "--to", "test"]]


def test_changed_requirements_are_installed(start: ModuleType, ready: list[list[str]]) -> None:
    start.main([])
    (start.ROOT / start.SIMULATOR).write_text("something new\n")
    ready.clear()
    start.main([])
    assert ready[0] == ["pip", "--requirement", "requirements.txt"]


def test_test_installs_both_lists_together_and_runs_pytest_here(start: ModuleType, ready: list[list[str]]) -> None:
    start.main([])
    ready.clear()
    assert start.main(["test", "-k", "wire"]) == 5
    both = ["pip", "--requirement", "requirements.txt", "--requirement", "requirements-test.txt"]
    assert ready == [both, ["chdir"], ["-m", "pytest", "-k", "wire"]]
    ready.clear()
    start.main(["test"])
    start.main([])
    assert [asked for asked in ready if asked[0] == "pip"] == []


def test_a_failed_installation_is_tried_again(
    start: ModuleType, ready: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(arguments: list[str]) -> None:
        raise start.CannotStart("no way")

    with monkeypatch.context() as broken:
        broken.setattr(start, "pip", fail)
        with pytest.raises(start.CannotStart):
            start.main([])
    start.main([])
    assert ready[0] == ["pip", "--requirement", "requirements.txt"]


# --- what is in the way ----------------------------------------------------------------------------------------------


def problem(start: ModuleType) -> str:
    """Return the sentence that `start.py` ends with."""
    with pytest.raises(start.CannotStart) as caught:
        start.main([])
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_an_old_python_is_named(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start.sys, "version_info", (3, 10, 4))
    assert problem(start) == "This is Python 3.10: get 3.11 or newer from python.org."


def test_an_old_python_can_read_the_script_at_all() -> None:
    text = (ROOT / "start.py").read_text(encoding="utf-8")
    assert ast.parse(text, feature_version=(3, 7))
    assert "from __future__" not in text


def test_a_missing_venv_module_comes_with_the_command_that_helps(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else name)
    assert f"sudo apt install python3.{sys.version_info[1]}-venv" in problem(start)


def test_a_folder_that_cannot_be_written_is_named(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(dir: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(start.tempfile, "TemporaryFile", refuse)
    assert f"{start.ROOT} cannot be written (Permission denied)" in problem(start)


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        ("WARNING: Retrying after NewConnectionError(...)\nERROR: No matching version", "connect to the network"),
        ("ERROR: Cannot connect to proxy. ProxyError", "HTTPS_PROXY"),
        ("Collecting x\nERROR: No space left on device", "pip failed (ERROR: No space left on device)"),
        ("", "no reason given"),
    ],
)
def test_what_pip_says_becomes_one_sentence(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, printed: str, words: str
) -> None:
    start.VENV.mkdir()
    fake = start.ROOT / "pip.py"
    fake.write_text(f"import sys\nsys.stdout.write({printed!r})\nsys.exit(1)\n")
    monkeypatch.setattr(start, "PYTHON", Path(sys.executable))
    monkeypatch.setenv("PYTHONPATH", str(start.ROOT))
    with pytest.raises(start.CannotStart) as caught:
        start.pip([])
    assert words in str(caught.value)


def test_an_environment_without_python_or_pip_is_not_used(start: ModuleType) -> None:
    assert not start.environment_works()
    start.PYTHON.parent.mkdir(parents=True)
    start.PYTHON.write_text("not a program")
    assert not start.environment_works()


@pytest.mark.skipif(sys.platform == "win32", reason="the problem is printed the same way, but started differently")
def test_no_traceback_reaches_the_user(tmp_path: Path) -> None:
    script = tmp_path / "start.py"
    script.write_bytes((ROOT / "start.py").read_bytes())
    (tmp_path / ".venv").write_text("a file where the folder should be")
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("start.py: ")
    assert ended.stderr.count("\n") == 1
