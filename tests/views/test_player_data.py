"""What the player's page carries: steps, sight, octets, and nothing of later behind a question."""

import base64
import html
import json
import re

import pytest

from simulator import Internet
from simulator.errors import UsageError
from simulator.export.html import embedded, fragment, page, text_ladder
from simulator.network.onpath import CutWhenSeen
from simulator.views.lens import lens_of, lenses, sight
from simulator.views.player.asks import Ask
from simulator.views.player.data import player_data
from simulator.views.steps import BOX, steps

ENVELOPE = {"sender": "alice@alice.example", "to": "bob@bob.example"}
HOSTILE = "<script>alert(1)</script> </script><!-- & \"quotes\" 'single' \u2028 " + "x" * 900


@pytest.fixture(scope="module")
def trace():
    with Internet(medium="memory") as net:
        return net.send("The secret text", mode="starttls", **ENVELOPE).trace


def test_every_step_is_there_with_its_sight_in_every_lens(trace):
    data = player_data(trace)
    (part,) = data["parts"]
    found = steps(trace)
    assert [told["number"] for told in part["steps"]] == [step.number for step in found]
    for told, step in zip(part["steps"], found, strict=True):
        assert tuple(told["lines"]) == step.masked
        assert part["reasons"][told["why"]] == step.explanation
        assert told["sight"] == "".join(sight(lens, step)[0] for lens in lenses(trace))
    assert [lens["name"] for lens in part["lenses"]] == [lens.name for lens in lenses(trace)]


def test_every_host_of_a_step_has_a_place_and_a_column(trace):
    (part,) = player_data(trace)["parts"]
    hosts = {host["name"]: host for host in part["hosts"]}
    assert {end for told in part["steps"] for end in (told["from"], told["to"])} == hosts.keys()
    assert all(0 < host["x"] < 1 and 0 < host["y"] < 1 for host in hosts.values())
    assert sorted(host["column"] for host in hosts.values()) == list(range(len(hosts)))
    assert hosts["laptop.alice.example"]["column"] < hosts["mail.alice.example"]["column"]


def test_a_line_in_clear_stands_in_the_octets_of_its_record(trace):
    (part,) = player_data(trace)["parts"]
    for told in part["steps"]:
        if told["kind"] not in ("command", "reply", "data"):
            continue
        records = [r for r in part["records"] if r["connection"] == told["connection"]]
        record = records[told["record"]]
        octets = bytes.fromhex(record["hex"])
        assert (told["lines"][0].encode() in octets) is not told.get("tls", False)
        assert (record["kind"] == "locked") is told.get("tls", False)
        assert record["at"] == pytest.approx(told["at"])


def test_a_box_on_the_path_has_a_column_between_its_neighbours():
    with Internet(medium="memory") as net:
        net.place_box(CutWhenSeen(b"STARTTLS\r\n"), lambda connection: connection.server_port == 587)
        trace = net.send("x", mode="starttls", **ENVELOPE).trace
    (part,) = player_data(trace)["parts"]
    columns = {host["name"]: host["column"] for host in part["hosts"]}
    assert columns["laptop.alice.example"] < columns[BOX] < columns["mail.alice.example"]


def is_tls(step):
    return step.kind == "tls"


def test_what_comes_after_a_question_is_not_in_the_first_part(trace):
    ask = Ask(is_tls, "What can a listener read now?", ("Everything", "Sizes"), "Only sizes.", right=1)
    data = player_data(trace, asks=[ask])
    first, second = data["parts"]
    assert len(first["steps"]) + len(second["steps"]) == len(steps(trace))
    assert not any(told["kind"] == "tls" for told in first["steps"])
    assert second["steps"][0]["kind"] == "tls"
    assert first["asks"] == [{"question": ask.question, "options": ["Everything", "Sizes"]}]
    assert second["answers"] == [{"explain": "Only sizes.", "right": 1}]
    assert {host["name"] for host in first["hosts"]} == {"laptop.alice.example", "mail.alice.example"}
    assert {one["number"] for one in first["connections"]} == {1}
    assert all(record["kind"] == "clear" for record in first["records"])
    assert not any("mx.bob" in lens["name"] for lens in first["lenses"])
    whole = player_data(trace)["parts"][0]["records"]
    key = json.dumps
    assert sorted(map(key, first["records"] + second["records"])) == sorted(map(key, whole))
    shown = embedded(data)
    assert "TLS established" not in shown
    assert "Only sizes." not in shown
    assert "TLS established" in base64.b64decode(json.loads(shown)["parts"][1]).decode()
    assert "TLS established" not in fragment(trace, asks=[ask])


def test_a_question_before_the_first_step(trace):
    first, second = player_data(trace, asks=[Ask(steps(trace)[0].number, "Ready?")])["parts"]
    assert (first["steps"], first["asks"]) == ([], [{"question": "Ready?", "options": []}])
    assert len(second["steps"]) == len(steps(trace))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"lens": "nobody"}, "There is no lens"),
        ({"pane": "table"}, "There is no pane"),
        ({"asks": [Ask(987654, "?")]}, "which this journey does not have"),
        ({"asks": [Ask(is_tls, "?", ("a",), right=1)]}, "none of them"),
        ({"asks": [Ask(is_tls, "?"), Ask(is_tls, "again?")]}, "Make them one"),
    ],
)
def test_bad_input_is_said_in_a_sentence(trace, wrong, said):
    with pytest.raises(UsageError, match=said):
        page(trace, **wrong)


def test_an_empty_trace_has_nothing_to_play():
    with Internet(medium="memory") as net, pytest.raises(UsageError, match="nothing to play"):
        page(net.trace())


def test_the_page_fetches_nothing_and_is_small(trace):
    whole = page(trace)
    assert len(whole.encode()) <= 400_000
    assert "default-src 'none'" in whole
    assert not re.search(r"<(?:script|img|iframe|link)[^>]*(?:src|href)=[\"']?(?:https?:|//)", whole)
    assert whole.count("<script") == 2


def test_hostile_texts_stay_data():
    with Internet(medium="memory") as net:
        trace = net.send(HOSTILE, subject="</script><b>&", mode="starttls", **ENVELOPE).trace
    whole = page(trace, title=HOSTILE)
    assert whole.count("<script") == 2
    assert whole.count("</script>") == 2
    assert "alert(1)<" not in whole
    data = json.loads(re.search(r'id="journey">(.*?)</script>', whole)[1])
    assert data["title"] == HOSTILE
    inside = re.search(r'srcdoc="([^"]*)"', fragment(trace, title=HOSTILE))[1]
    assert html.unescape(inside) == whole


def test_the_text_for_untrusted_notebooks_follows_the_lens(trace):
    told = "\n".join(text_ladder(trace, lens=lens_of("listener", trace)))
    assert "The secret text" not in told
    assert "octets inside TLS)" in told
    assert "The secret text" in "\n".join(text_ladder(trace))
    assert "<pre" in fragment(trace)
    assert 'journey.export("journey.html")' in html.unescape(fragment(trace))


@pytest.mark.parametrize("mode", ["starttls", "cleartext"])
def test_a_huge_letter_does_not_make_a_huge_page(mode):
    with Internet(medium="memory") as net:
        trace = net.send("A line of the letter\nQUIT now\n" * 10_000, mode=mode, **ENVELOPE).trace
    assert len(page(trace)) < 600_000


def test_a_long_trace_offers_few_lenses_and_costs_no_square():
    with Internet(medium="memory") as net:
        for _ in range(25):
            net.send("x", sender="alice@alice.example", to="bob@bob.example")
        trace = net.trace()
    whole = player_data(trace, lens="listener:7")
    names = {lens["name"] for part in whole["parts"] for lens in part["lenses"]}
    assert len(names) <= 40
    assert {"everything", "listener", "listener:7", "operator:mx.bob.example"} <= names
