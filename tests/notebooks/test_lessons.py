"""Every notebook is built from its lesson, runs from top to bottom in a fresh kernel, and says nothing untrue."""

import os

import nbformat
import pytest

from simulator import Internet, course
from simulator.trace.events import MessageStored

LESSONS = list(course.lessons())


def test_there_is_a_first_lesson():
    assert LESSONS[0] == "00_start_here"


@pytest.mark.parametrize("name", LESSONS)
def test_notebook_is_what_its_lesson_makes(name, tmp_path):
    course.build(tmp_path)
    built = (tmp_path / f"{name}.ipynb").read_bytes()
    assert (course.NOTEBOOKS / f"{name}.ipynb").read_bytes() == built, "run: python -m simulator course build"


def test_no_notebook_without_a_lesson():
    assert sorted(path.stem for path in course.NOTEBOOKS.glob("*.ipynb")) == sorted(LESSONS)


@pytest.mark.parametrize("name", LESSONS)
def test_notebook_runs_without_any_other_program(name, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    notebook = nbformat.read(course.NOTEBOOKS / f"{name}.ipynb", as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(course.NOTEBOOKS)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    if name == "00_start_here":
        shown = [data for output in outputs for data in output.get("data", {}).items()]
        assert [kind for kind, _ in shown].count("image/png") == 1
        text = "".join(str(value) for _, value in shown)
        assert "delivered" in text
        assert "STARTTLS" in text


def test_what_start_here_says_is_true():
    with Internet() as net:
        journey = net.send("Hello Bob", sender="alice@alice.example", to="bob@bob.example")
        letter = net.inbox("bob@bob.example")[0]
    first, second = journey.hops
    assert first.log.server_port == 465, "the first connection goes to port 465"
    assert all(event.tls for event in first.spoken), "on the first connection nothing is readable"
    assert second.log.server_port == 25
    clear = [event for event in second.spoken if not event.tls]
    assert clear, "the first lines of the second connection are readable"
    assert journey.trace.octets(clear[-2].span) == b"STARTTLS\r\n", "after STARTTLS nothing is readable"
    questions = [log for log in journey.trace.connections.values() if log.server_port == 53]
    assert questions
    assert all(b"example" in log.stream("wire.c2s.sent").octets for log in questions), "questions are always readable"
    received = letter.message.get_all("Received")
    assert len(received) == 2, "two Received fields"
    assert "mx.bob.example" in received[0], "the newest is on top"
    assert journey.trace.of(MessageStored)
    assert os.environ.get("PATH") is not None
