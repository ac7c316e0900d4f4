"""The files that commands leave behind: each opens, and what cannot be written is told before anything is sent."""

import json

import pytest

from simulator.cli import main


def run(capsys, *words):
    code = main(list(words))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_one_journey_in_every_form(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    figures = ["map", "ladder", "names", "wire", "readers", "envelope", "timeline", "custody"]
    words = ["--medium", "memory", "--save", "j.jsonl", "--html", "j.html", "--pcapng", "j.pcapng"]
    code, out, _ = run(capsys, *words, *(word for name in figures for word in ("--figure", f"{name}.png")))
    assert code == 0
    assert out.count("Written: ") == 3 + len(figures)
    for name in figures:
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "j.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "j.pcapng").read_bytes().startswith(b"\x0a\x0d\x0d\x0a")

    code, out, _ = run(capsys, "show", "j.jsonl", "--html", "again.html", "--figure", "readers:slide.svg", "--pcapng", "k.pcapng", "--no-keys")
    assert code == 0
    assert (tmp_path / "again.html").exists()
    assert "<svg" in (tmp_path / "slide.svg").read_text(encoding="utf-8")
    assert (tmp_path / "k.pcapng").stat().st_size < (tmp_path / "j.pcapng").stat().st_size


def test_compare_writes_its_figure_and_one_file_per_way(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, _ = run(capsys, "compare", "--medium", "memory", "--figure", "compare.png", "--figure", "wire:w.png", "--save", "c.jsonl")
    assert code == 0
    names = {path.name for path in tmp_path.iterdir()}
    ways = ("cleartext", "587-starttls", "465-implicit-tls")
    assert names == {"compare.png", *(f"w-{way}.png" for way in ways), *(f"c-{way}.jsonl" for way in ways)}


def test_policy_and_port_are_two_things(tmp_path, capsys):
    """Without an attacker, "if offered" looks like "required": the same port, the same octets, another promise."""
    code, out, _ = run(capsys, "compare", "--medium", "memory", "--careless", "--json", "--figure", str(tmp_path / "c.png"))
    assert code == 0
    columns = {each["name"]: each for each in json.loads(out)}
    assert len(columns) == 4
    required, careless = columns["587, STARTTLS"], columns["587, if offered"]
    assert {k: v for k, v in required.items() if k != "name"} == {k: v for k, v in careless.items() if k != "name"}


def test_a_scenario_can_be_taken_away(tmp_path, capsys):
    code, out, _ = run(capsys, "scenario", "stripped", "--medium", "memory", "--json", "--html", str(tmp_path / "s.html"))
    assert code == 0
    assert all(each["holds"] for each in json.loads(out)["expected"])
    shown = (tmp_path / "s.html").read_text(encoding="utf-8")
    assert "250-STARTTLS became 250-AUTH PLAIN LOGIN" in shown


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--figure", "nothing/ladder.png"], "does not exist"),
        (["--figure", "ladder.bmp"], ".png or .svg"),
        (["--figure", "foo:x.png"], "no figure 'foo'"),
        (["--html", "x.htm"], "end in .html"),
        (["--pcapng", "x.pcap"], "end in .pcapng"),
        (["course", "start"], "Which unit?"),
        (["course", "start", "77"], "04_tls_modes"),
        (["course", "reset", "x"], "04_tls_modes"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(tmp_path, capsys, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *words)
    assert code == 2
    assert out == ""
    assert sentence in err
    assert len(err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_built_files_can_be_checked(capsys):
    assert run(capsys, "course", "build", "--check")[0] == 0
