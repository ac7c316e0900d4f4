"""The queue on disk: nothing that was answered with 250 is lost, whatever happens to the program or the disk."""

import json
import os
from datetime import datetime

import pytest

from simulator import Internet
from simulator.errors import UsageError
from simulator.relay.queue import QueuedMessage, Recipient, State
from simulator.relay.spool import Spool

CONTENT = b"Subject: x\r\n\r\n.dot\r\n\x00\xff\r\n"


def spool(tmp_path, at_s=0.0, date="2026-01-01T00:00:00+00:00"):
    return Spool(tmp_path / "queue", lambda: datetime.fromisoformat(date), lambda: at_s)


def message(queue_id="A1", **facts):
    facts = {"reverse_path": "a@alice.example", "content": CONTENT, "queued_s": 0.0} | facts
    recipients = facts.pop("recipients", [Recipient("b@bob.example"), Recipient("c@bob.example")])
    return QueuedMessage(queue_id=queue_id, label="m1", recipients=recipients, **facts)


def read(kept):
    return list(kept.messages(iter(["m7", "m8", "m9"]).__next__))


def test_P19_what_is_kept_is_there_in_the_next_run(tmp_path):
    spool(tmp_path).keep(message())
    (found,) = read(spool(tmp_path))
    assert (found.queue_id, found.label, found.reverse_path, found.content) == ("A1", "m7", "a@alice.example", CONTENT)
    assert [r.address for r in found.recipients] == ["b@bob.example", "c@bob.example"]
    assert not found.done


def test_what_became_of_each_recipient_is_kept_with_its_date(tmp_path):
    first = spool(tmp_path, at_s=100.0)
    queued = message(queued_s=40.0)
    first.keep(queued)
    queued.recipients[0].state = State.RELAYED
    queued.recipients[1].state, queued.recipients[1].attempts, queued.recipients[1].retry_at_s = State.DEFERRED, 2, 1900.0
    first.update(queued)
    # half an hour later, in a run whose clock began anew
    (found,) = read(spool(tmp_path, at_s=5.0, date="2026-01-01T00:30:00+00:00"))
    assert [r.state for r in found.recipients] == [State.RELAYED, State.DEFERRED]
    assert found.recipients[1].attempts == 2
    assert found.recipients[1].retry_at_s == pytest.approx(5.0)
    assert found.queued_s == pytest.approx(5.0 - 1860.0)


def test_a_message_that_is_done_leaves_nothing(tmp_path):
    kept = spool(tmp_path)
    queued = message()
    kept.keep(queued)
    for recipient in queued.recipients:
        recipient.state = State.RELAYED
    kept.update(queued)
    assert list((tmp_path / "queue").iterdir()) == []


def test_half_written_messages_were_never_promised_and_go(tmp_path):
    kept = spool(tmp_path)
    kept.keep(message())
    (tmp_path / "queue" / "B2.eml").write_bytes(b"no envelope came")
    (tmp_path / "queue" / "B3.json.part").write_bytes(b'{"version"')
    assert [m.queue_id for m in read(kept)] == ["A1"]
    assert {f.name for f in (tmp_path / "queue").iterdir()} == {"A1.eml", "A1.json"}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda facts: b"not json",
        lambda facts: b"[]",
        lambda facts: json.dumps(facts | {"version": 99}).encode(),
        lambda facts: json.dumps(facts | {"queued_at": "yesterday"}).encode(),
        lambda facts: json.dumps(facts | {"recipients": [{"address": "no at sign"}]}).encode(),
        lambda facts: b"\xff\xfe",
    ],
)
def test_a_broken_file_is_put_aside_and_the_others_go_on(tmp_path, spoil):
    kept = spool(tmp_path)
    kept.keep(message("A1"))
    kept.keep(message("A2"))
    file = tmp_path / "queue" / "A1.json"
    file.write_bytes(spoil(json.loads(file.read_bytes())))
    found = read(kept)
    assert [m.queue_id for m in found if isinstance(m, QueuedMessage)] == ["A2"]
    (sentence,) = [m for m in found if isinstance(m, str)]
    assert "put aside" in sentence
    assert {"A1.broken", "A1.eml"} <= {f.name for f in (tmp_path / "queue").iterdir()}


def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        spool(tmp_path).keep(message())
    assert list((tmp_path / "queue").iterdir()) == []


def test_a_full_disk_is_a_452_and_the_sender_is_told(tmp_path, monkeypatch):
    with Internet(medium="memory", state_dir=tmp_path) as net:
        monkeypatch.setattr(Spool, "keep", lambda self, queued: (_ for _ in ()).throw(UsageError("The disk is full.")))
        journey = net.send("x", sender="alice@alice.example", to="bob@bob.example")
        (outcome,) = journey.outcomes.values()
        assert (outcome.result, outcome.code, outcome.enhanced) == ("failed", 452, "4.3.1")
        assert not net.inbox("bob@bob.example")


def test_a_deferred_message_goes_on_in_the_next_run(tmp_path):
    with Internet(medium="memory", state_dir=tmp_path) as net:
        net.switch_off("mx.bob.example")
        journey = net.send("wait for me", sender="alice@alice.example", to="bob@bob.example")
        assert journey.outcomes["bob@bob.example"].result == "deferred"
    with Internet(medium="memory", state_dir=tmp_path) as net:
        net.run_until_settled()
        assert [m.text.strip() for m in net.inbox("bob@bob.example")] == ["wait for me"]
    assert [p.name for p in (tmp_path / "queue").rglob("*") if p.is_file()] == []


def test_two_internets_do_not_share_a_folder(tmp_path):
    with Internet(medium="memory", state_dir=tmp_path), pytest.raises(UsageError, match="in use"):
        Internet(medium="memory", state_dir=tmp_path)


def test_queue_ids_in_use_are_not_given_again(tmp_path):
    """The same seed gives the same numbers: a waiting message must not be written over."""
    for text in ("first", "second"):
        with Internet(medium="memory", state_dir=tmp_path) as net:
            net.switch_off("mx.bob.example")
            net.send(text, sender="alice@alice.example", to="bob@bob.example")
    assert len(list((tmp_path / "queue").rglob("*.json"))) == 2
    with Internet(medium="memory", state_dir=tmp_path) as net:
        net.run_until_settled()
        assert sorted(m.text.strip() for m in net.inbox("bob@bob.example")) == ["first", "second"]


def test_the_certificate_authority_stays_the_same(tmp_path):
    with Internet(medium="memory", state_dir=tmp_path) as net:
        first = net.ca_pem
    with Internet(medium="memory", state_dir=tmp_path) as net:
        assert net.ca_pem == first
        assert net.send("x", sender="alice@alice.example", to="bob@bob.example", mode="implicit").delivered
    (tmp_path / "ca-with-key.pem").write_text("nonsense")
    with pytest.raises(UsageError, match="certificate authority cannot be read"):
        Internet(medium="memory", state_dir=tmp_path)
