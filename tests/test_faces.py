"""The faces: Internet in scripts and notebooks, simulator.aio in asynchronous programs."""

import asyncio
import subprocess
import sys

import pytest

from simulator import Internet, UsageError, aio, many_organisations

MEDIA = ["memory", "loopback"]
LETTER = {"sender": "alice@alice.example", "to": "bob@bob.example"}


@pytest.mark.parametrize("medium", MEDIA)
def test_aio_run_needs_no_thread(medium):
    import threading

    async def main():
        async with aio.Internet() as net:
            journey = await net.send("Hello", **LETTER)
            await net.run(for_s=3600)
            return journey.delivered, len(net.inbox("bob@bob.example")), threading.active_count()

    before = threading.active_count()
    assert aio.run(main(), medium=medium) == (True, 1, before)


@pytest.mark.parametrize("medium", MEDIA)
def test_aio_works_on_any_loop(medium):
    async def main():
        async with aio.Internet(medium=medium) as net:
            journeys = await asyncio.gather(*(net.send(f"Hello {n}", **LETTER) for n in range(3)))
            return [journey.delivered for journey in journeys]

    assert asyncio.run(main()) == [True, True, True]


@pytest.mark.parametrize("medium", MEDIA)
def test_internet_is_safe_where_a_loop_runs_already(medium):
    async def cell():
        with Internet(medium=medium) as net:
            return net.send("Hello", **LETTER).delivered

    assert asyncio.run(cell())


def test_two_internets_do_not_meet():
    with Internet() as one, Internet() as other:
        one.send("Hello", **LETTER)
        assert len(one.inbox("bob@bob.example")) == 1
        assert other.inbox("bob@bob.example") == []


def test_aio_options_that_contradict_the_loop_are_refused():
    async def main():
        async with aio.Internet(medium="loopback"):
            pass

    with pytest.raises(UsageError, match=r"aio\.run"):
        aio.run(main(), medium="memory")


def test_names_that_do_not_exist_are_refused():
    for options, words in (
        ({"medium": "ether"}, "ether"),
        ({"clock": "sundial"}, "sundial"),
        ({"latency_s": -1}, "negative"),
    ):
        with pytest.raises(UsageError, match=words):
            Internet(**options)


def test_forgetting_to_close_is_forgiven():
    code = (
        "from simulator import Internet\n"
        "net = Internet()\n"
        "print(net.send('x', sender='alice@alice.example', to='bob@bob.example').delivered)\n"
    )
    done = subprocess.run([sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


@pytest.mark.parametrize("medium", MEDIA)
def test_closing_in_the_middle_of_everything_is_clean(medium):
    code = (
        "from simulator import Internet\n"
        f"net = Internet(medium={medium!r})\n"
        "net.switch_off('mx.bob.example')\n"
        "net.send('x', sender='alice@alice.example', to='bob@bob.example')\n"
        "net.endpoints()\n"
        "net.close()\n"
        "net.close()\n"
    )
    done = subprocess.run([sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_temporary_mailboxes_vanish_and_chosen_ones_stay(tmp_path):
    with Internet(medium="memory", state_dir=tmp_path / "kept") as net:
        net.send("Hello", **LETTER)
    assert len(list((tmp_path / "kept").rglob("new/*"))) == 1
    with Internet(medium="memory", state_dir=tmp_path / "kept") as net:
        net.send("Hello again", **LETTER)
        assert [letter.text.strip() for letter in net.inbox("bob@bob.example")] == ["Hello", "Hello again"]
    with Internet(medium="memory") as net:
        net.send("Hello", **LETTER)
        place = net.inbox("bob@bob.example")[0].path
        assert place.exists()
    assert not place.exists()


def test_a_thousand_organisations_wake_only_when_somebody_calls():
    with Internet(medium="memory", plan=many_organisations(1000)) as net:
        assert net.send("x", sender="user@org7.example", to="user@org900.example").delivered
        assert net.resolve("org500.example", "MX").mx() == [(10, "mx.org500.example")]


@pytest.mark.parametrize("medium", MEDIA)
def test_journey_is_the_same_after_saving_and_loading(medium, tmp_path):
    from simulator import Journey

    with Internet(medium=medium) as net:
        journey = net.send("Hello", **LETTER, mode="starttls")
    loaded = Journey.load(journey.save(tmp_path / "j.jsonl"))
    assert loaded.trace.story() == journey.trace.story()
    assert loaded.transcript() == journey.transcript()
    assert loaded.events == journey.events
    assert [loaded.round_trips(hop=h, until=u) for h in (1, 2) for u in ("MAIL", "250")] == [7, 9, 6, 8]


def test_sharing_leaves_out_the_password(tmp_path):
    import base64

    with Internet(medium="memory") as net:
        journey = net.send("Hello", **LETTER, mode="cleartext")
    secret = base64.b64encode(b"\0alice@alice.example\0secret-of-alice")
    assert secret in journey.hops[0].log.stream("wire.c2s.sent").octets
    from simulator import Journey

    shared = Journey.load(journey.save(tmp_path / "shared.jsonl", share=True))
    assert not any(
        secret in stream.octets for log in shared.trace.connections.values() for stream in log.streams.values()
    )


def test_causes_lead_from_the_mailbox_back_to_the_person():
    from simulator.trace.events import MessageComposed, MessageStored

    with Internet(medium="memory") as net:
        journey = net.send("Hello", **LETTER)
    events = {event.number: event for event in journey.events}
    event = events[journey.trace.of(MessageStored)[0].number]
    path = [event]
    while event.cause is not None:
        assert event.cause < event.number
        event = events[event.cause]
        path.append(event)
    assert isinstance(path[-1], MessageComposed)
    assert {
        "MessageStored",
        "MessageAccepted",
        "MessageData",
        "Reply",
        "Command",
        "ConnectionOpened",
        "RouteChosen",
        "DnsAnswered",
        "DnsAsked",
    } <= {each.kind for each in path}
