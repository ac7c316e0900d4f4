"""Every notebook is built from its lesson, runs from top to bottom in a fresh kernel, and says nothing untrue."""

import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from simulator import Internet, course
from simulator.course.run import run_notebook
from simulator.trace.events import MessageStored

LESSONS = list(course.lessons())
COPIES = [(name, folder) for name in LESSONS for folder in ("learner", "solved")]


def test_there_are_nine_units():
    assert LESSONS[0] == "00_start_here"
    assert [name[:2] for name in LESSONS] == [f"{number:02}" for number in range(len(LESSONS))]


def test_what_is_built_is_what_the_lessons_make():
    assert course.stale() == [], "run: python -m simulator course build"


def test_building_twice_gives_the_same_files(tmp_path):
    first = [path.read_bytes() for path in course.build(tmp_path / "one")]
    assert first == [path.read_bytes() for path in course.build(tmp_path / "two")]


def test_no_notebook_without_a_lesson():
    for folder in (course.NOTEBOOKS, course.NOTEBOOKS / "solved"):
        found = [path.stem for path in folder.glob("*.ipynb") if ".before-reset" not in path.name]
        assert sorted(found) == sorted(LESSONS)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run all of them, two at a time, in an order of their own, with no other program to be found."""
    before = dict(os.environ)
    os.environ |= {
        "PATH": "", "PYTHONWARNINGS": "default", "MAIL_LAB_SEED": "7",
        "MAIL_LAB_PROGRESS": str(tmp_path_factory.mktemp("progress")),
    }  # fmt: skip
    copies = list(COPIES)
    random.Random(20261123).shuffle(copies)

    def one(copy):
        name, kind = copy
        folder = course.NOTEBOOKS / "solved" if kind == "solved" else course.NOTEBOOKS
        if kind == "learner":  # nobody has predicted anything yet: the solved copy must not answer for the learner
            from simulator.course.build import lessons, notebook

            made = notebook(lessons()[name], "learner")
            for cell in made.cells:
                if cell.cell_type == "code" and "Unit(" in cell.source:
                    progress = tmp_path_factory.mktemp("nobody")
                    cell.source = f"import os; os.environ['MAIL_LAB_PROGRESS'] = {str(progress)!r}\n{cell.source}"
            return run_notebook(folder / f"{name}.ipynb", made)
        return run_notebook(folder / f"{name}.ipynb")

    try:
        with ThreadPoolExecutor(2) as pool:
            return dict(zip(copies, pool.map(one, copies), strict=True))
    finally:
        os.environ.clear()
        os.environ.update(before)


def shown(result):
    """Return all texts that the cells of a notebook have shown."""
    outputs = [output for cell in result.notebook.cells for output in cell.get("outputs", [])]
    texts = [output.get("text", "") for output in outputs]
    return "\n".join([*texts, *(str(output.get("data", {}).get("text/plain", "")) for output in outputs)])


@pytest.mark.parametrize("copy", COPIES, ids=lambda copy: f"{copy[0]} {copy[1]}")
def test_it_runs_from_top_to_bottom(ran, copy):
    assert ran[copy].problem == ""


@pytest.mark.parametrize("name", LESSONS[1:])
def test_a_learners_copy_reveals_nothing(ran, name):
    text = shown(ran[name, "learner"])
    assert "Observed:" not in text
    assert "Right." not in text
    assert "Withheld: first write down your prediction" in text


@pytest.mark.parametrize("name", LESSONS[1:])
def test_a_solved_copy_predicts_and_answers_rightly(ran, name):
    text = shown(ran[name, "solved"])
    assert "Withheld" not in text
    assert "Not as predicted" not in text
    assert "As you said." in text
    assert "Right." in text
    assert "Not yet." not in text


def test_the_first_unit_shows_its_map(ran):
    outputs = [o for cell in ran["00_start_here", "solved"].notebook.cells for o in cell.get("outputs", [])]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    assert kinds.count("image/png") == 1
    assert "delivered" in shown(ran["00_start_here", "solved"])


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
