"""A unit in a notebook: predictions first, progress kept, mistakes told in sentences."""

import pytest

from simulator import UsageError
from simulator.exercises import Unit, Withheld
from simulator.exercises.progress import Progress


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("MAIL_LAB_PROGRESS", str(tmp_path))
    monkeypatch.delenv("MAIL_LAB_SEED", raising=False)
    return tmp_path


def test_a_result_waits_for_its_prediction(capsys):
    unit = Unit("04_tls_modes")
    ran = []
    result = unit.observe("extra_round_trips", lambda: ran.append(1) or 5)
    assert isinstance(result, Withheld)
    assert ran == []
    assert "first write down your prediction" in capsys.readouterr().out
    assert not result.journey.hops[0].anything("x")
    assert list(result) == []
    assert "withheld" in repr(result)
    assert not hasattr(result, "_repr_html_")


def test_a_prediction_is_kept_and_shown_beside_the_observation(capsys):
    unit = Unit("04_tls_modes")
    unit.predict("extra_round_trips", 3)
    assert unit.observe("extra_round_trips", lambda: "seen", show=lambda seen: 2) == "seen"
    said = capsys.readouterr().out
    assert "You predicted: 3. Observed: 2. Not as predicted" in said
    assert "RFC 3207" in said
    again = Unit("04_tls_modes")  # after a restart of the kernel
    assert again.observe("extra_round_trips", lambda: "seen") == "seen"
    assert "you said 3" in repr(again.progress())


@pytest.mark.parametrize("value", [..., None, "", "two", 2.5, True])
def test_what_is_no_prediction_is_not_kept(value, capsys):
    unit = Unit("04_tls_modes")
    unit.predict("extra_round_trips", value)
    assert isinstance(unit.observe("extra_round_trips", lambda: 1), Withheld)
    said = capsys.readouterr().out
    assert "Not answered yet" in said or "whole number" in said


def test_options_are_told(capsys):
    Unit("04_tls_modes").predict("who_reads", "nobody")
    assert "'everybody'" in capsys.readouterr().out


def test_teachers_need_no_predictions():
    assert Unit("04_tls_modes", teach=True).observe("extra_round_trips", lambda: 7, show=lambda seen: seen) == 7


def test_hints_come_one_by_one_and_then_an_example(capsys):
    unit = Unit("04_tls_modes")
    for expected in ("Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "similar task", "similar task"):
        unit.hint("hit_the_number")
        assert expected in capsys.readouterr().out


def test_unanswered_is_never_right_and_a_withheld_answer_neither():
    unit = Unit("04_tls_modes")
    assert unit.check("hit_the_number").status == "unanswered"
    assert unit.check("hit_the_number", ...).status == "unanswered"
    assert unit.check("hit_the_number", Withheld("x")).status == "unanswered"
    assert "open" in repr(unit.progress())


def test_the_case_belongs_to_the_learner(monkeypatch):
    seeds = {}
    for seed in range(12):
        monkeypatch.setenv("MAIL_LAB_SEED", str(seed))
        seeds[seed] = Unit("04_tls_modes").case("hit_the_number")["round_trips"]
    assert len(set(seeds.values())) > 2


def test_the_seed_is_drawn_once_and_stays(own_progress):
    assert Progress("a").seed == Progress("b").seed
    assert (own_progress / "learner.json").exists()


def test_the_quiz_explains_right_and_wrong(capsys):
    unit = Unit("04_tls_modes")
    assert "a)" in repr(unit.quiz())
    right = unit.quiz(1, "b")
    assert right.right
    assert "RFC 3207" in right.message
    assert unit.quiz(1, "A").status == "wrong"
    assert unit.quiz(1, "z").status == "wrong"
    assert unit.quiz(1).status == "unanswered"
    unit.quiz({1: "b", 2: "a"})
    assert "Right." in capsys.readouterr().out
    with pytest.raises(UsageError, match="questions 1 to"):
        unit.quiz(99, "a")


@pytest.mark.parametrize("octets", [b"", b"not json", b"[]", b'{"version": 99}', b"\xff", b'{"version": 1, "predictions": 3}'])
def test_broken_progress_is_put_aside_with_a_sentence(own_progress, octets, capsys):
    (own_progress / "04_tls_modes.json").write_bytes(octets)
    unit = Unit("04_tls_modes")
    assert "could not be read" in capsys.readouterr().out
    unit.predict("extra_round_trips", 2)
    assert Unit("04_tls_modes").observe("extra_round_trips", lambda: 1) == 1


def test_progress_that_cannot_be_kept_does_not_stop_the_lesson(own_progress, monkeypatch, capsys):
    blocked = own_progress / "a file"
    blocked.write_text("")
    monkeypatch.setenv("MAIL_LAB_PROGRESS", str(blocked / "below"))
    unit = Unit("04_tls_modes")
    unit.predict("extra_round_trips", 2)
    assert "cannot be kept" in capsys.readouterr().out
    assert unit.observe("extra_round_trips", lambda: 1) == 1


def test_wrong_names_list_the_right_ones():
    with pytest.raises(UsageError, match="There is no unit"):
        Unit("99_nothing")
    with pytest.raises(UsageError, match="extra_round_trips"):
        Unit("04_tls_modes").predict("nothing", 1)


def test_html_is_escaped():
    from simulator.exercises.verdict import wrong

    assert "<script>" not in wrong("<script>", "<b>")._repr_html_()
    assert "<script>" not in Unit("04_tls_modes").progress()._repr_html_()
