"""The command line. Problems are one sentence; exit codes: 0 done, 1 not delivered, 2 wrong usage, 3 internal error."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from simulator import missing_package
from simulator.errors import SimulatorError, UsageError
from simulator.outputs import add_output_options, check_outputs, write_comparison, write_outputs

DONE, NOT_DELIVERED, WRONG_USAGE, INTERNAL = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. No traceback reaches a learner."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        chosen = parser().parse_args(arguments)
        return int(chosen.run(chosen))
    except SimulatorError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("simulator"):
            raise
        print(f"simulator: {missing_package(error.name)}", file=sys.stderr)
        return WRONG_USAGE
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        print("simulator: stopped.", file=sys.stderr)
        return 130
    except Exception as error:
        if os.environ.get("SIMULATOR_TRACEBACK"):
            raise
        print(
            f"simulator: This is a defect of the simulator, not your fault ({type(error).__name__}: {error}); "
            "please report it. With SIMULATOR_TRACEBACK=1 in the environment you see more.",
            file=sys.stderr,
        )
        return INTERNAL


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise UsageError(f"{message[0].upper()}{message[1:].rstrip('.')}. See: {self.prog} --help")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = _Parser(
        prog="python -m simulator",
        description="A small internet on this machine, to see how e-mail really travels. "
        "Without a command: one message through the three steps.",
    )
    _sending(top)
    top.set_defaults(run=run_main_job)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)

    send = commands.add_parser("send", help="send a message of your own (a file, or - for standard input)")
    send.add_argument("file", metavar="FILE.eml", help="the message; - reads it from standard input")
    send.add_argument("--from", dest="sender", metavar="ADDRESS", help="envelope sender (default: the From field)")
    send.add_argument(
        "--to", action="extend", nargs="+", metavar="ADDRESS", help="envelope recipients (default: To, Cc and Bcc)"
    )
    _sending(send)
    send.set_defaults(run=run_send)

    show = commands.add_parser("show", help="show a saved trace")
    show.add_argument("file", metavar="FILE.jsonl")
    show.add_argument("--json", action="store_true", help="print the outcome as JSON")
    add_output_options(show)
    show.set_defaults(run=run_show)

    compare = commands.add_parser("compare", help="one message by cleartext, STARTTLS and implicit TLS, side by side")
    compare.add_argument("--medium", default="loopback", metavar="M", help="loopback or memory")
    compare.add_argument("--latency", type=seconds, default=0.02, metavar="T", help="one way, such as 20ms or 0.1s")
    compare.add_argument("--json", action="store_true", help="print the table as JSON")
    compare.add_argument(
        "--careless", action="store_true", help="a fourth column: 587 with STARTTLS only if it is offered"
    )
    add_output_options(compare)
    compare.set_defaults(run=run_compare)

    story = commands.add_parser("scenario", help="list the ready stories, or run one")
    story.add_argument("name", nargs="?", metavar="NAME")
    story.add_argument("--medium", default="loopback", metavar="M", help="loopback or memory")
    add_output_options(story)
    story.add_argument("--json", action="store_true", help="print the outcome as JSON")
    story.set_defaults(run=run_scenario)

    serve = commands.add_parser("serve", help="keep the internet running on this machine for mail programs of your own")
    serve.add_argument("--ready-file", metavar="FILE", help="write where everything is, as JSON, once all ports answer")
    serve.add_argument("--state", metavar="DIR", help="keep mailboxes in this folder")
    serve.add_argument("--real-ports", action="store_true", help="use 25, 465, 587 and 53, where the system allows it")
    serve.add_argument(
        "--plan", metavar="FILE.toml", help="another internet than that of alice.example and bob.example"
    )
    serve.add_argument("--seed", type=int, default=1, metavar="N", help="seed of everything random")
    serve.add_argument(
        "--latency", type=seconds, default=0.0, metavar="T", help="between hosts, one way (default: none)"
    )
    serve.add_argument("--quiet", action="store_true", help="do not log what happens")
    serve.set_defaults(run=run_serve)

    course = commands.add_parser("course", help="open the notebooks in JupyterLab")
    course.add_argument(
        "what",
        nargs="?",
        choices=("open", "start", "reset", "doctor", "check", "build"),
        default="open",
        help="open: JupyterLab (default); start N: on unit N; reset N: begin unit N anew (your work is kept); doctor: "
        "check the installation; check: run all notebooks; build: make notebooks and glossary from lessons/",
    )
    course.add_argument("unit", nargs="?", metavar="N", help="number or name of a unit, for start and reset")
    course.add_argument("--site", metavar="DIR", help="build: write the course as web pages that need no Python")
    course.add_argument("--check", action="store_true", help="build: only tell whether the built files are up to date")
    course.set_defaults(run=run_course)
    return top


def _sending(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--mode",
        default=None,
        metavar="M",
        help="implicit (465), starttls (587, required), starttls-if-offered, cleartext; "
        "default: implicit, then starttls",
    )
    command.add_argument(
        "--medium", default="loopback", metavar="M", help="loopback (real sockets on 127.0.0.1) or memory"
    )
    command.add_argument("--latency", type=seconds, default=0.02, metavar="T", help="one way, such as 20ms or 0.1s")
    command.add_argument("--seed", type=int, default=1, metavar="N", help="seed of everything random")
    command.add_argument(
        "--plan", metavar="FILE.toml", help="another internet than that of alice.example and bob.example"
    )
    add_output_options(command)
    command.add_argument("--json", action="store_true", help="print the outcome as JSON")


def seconds(text: str) -> float:
    """Read a time such as "20ms", "0.1s" or "0.1" (seconds)."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)?", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write 20ms or 0.1s")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


# --- commands --------------------------------------------------------------------------------------------------------

LETTER = "Hello Bob,\n\nthis letter takes three steps: submission, relay and delivery.\n\nAlice\n"


def run_main_job(chosen: argparse.Namespace) -> int:
    """Send one message from Alice to Bob and tell its story."""

    def letter(net: Any) -> dict[str, Any]:
        people = list(net.plan.people)
        return {"letter": LETTER, "sender": people[0], "to": _somebody_else(people), "subject": "Three steps"}

    return _send(chosen, letter)


def _somebody_else(people: list[str]) -> str:
    own = people[0].rpartition("@")[2]
    return next((person for person in people if not person.endswith(f"@{own}")), people[-1])


def run_send(chosen: argparse.Namespace) -> int:
    """Send the learner's own message."""
    try:
        octets = sys.stdin.buffer.read() if chosen.file == "-" else Path(chosen.file).read_bytes()
    except OSError as error:
        raise UsageError(f"The message {chosen.file} cannot be read: {error.strerror or error}.") from error
    return _send(chosen, lambda net: {"letter": octets, "sender": chosen.sender, "to": chosen.to})


def _send(chosen: argparse.Namespace, letter: Callable[[Any], dict[str, Any]]) -> int:
    from simulator.sync import Internet

    check_outputs(chosen)
    make = (
        Internet.from_plan(chosen.plan, medium=chosen.medium, latency_s=chosen.latency, seed=chosen.seed)
        if chosen.plan
        else (Internet(medium=chosen.medium, latency_s=chosen.latency, seed=chosen.seed))
    )
    with make as net:
        journey = net.send(mode=chosen.mode, **letter(net))
        mailboxes = {address: net.inbox(address) for address in journey.mailboxes}
    written = write_outputs(journey, chosen)
    if chosen.json:
        print(json.dumps(_as_json(journey), indent=2))
    else:
        from simulator.views.story import story

        print(story(journey.trace, {address: stored[-1].octets for address, stored in mailboxes.items() if stored}))
        for path in written:
            print(f"Written: {path}")
    return DONE if journey.delivered else NOT_DELIVERED


def _as_json(journey: Any) -> dict[str, Any]:
    return {
        "message": journey.message,
        "delivered": journey.delivered,
        "recipients": [
            {
                "recipient": o.recipient,
                "result": o.result,
                "code": o.code,
                "enhanced": o.enhanced,
                "text": o.text,
                "by": o.by,
            }
            for o in journey.outcomes.values()
        ],
        "hops": [
            {
                "hop": hop.number,
                "client": hop.log.client_host,
                "server": hop.log.server_host,
                "port": hop.log.server_port,
                "protection": hop.protection,
                "tls": hop.tls.version if hop.tls else None,
            }
            for hop in journey.hops
        ],
    }


def run_show(chosen: argparse.Namespace) -> int:
    """Show a saved trace."""
    from simulator.journey import Journey
    from simulator.views.story import story

    check_outputs(chosen)
    journey = Journey.load(chosen.file)
    written = write_outputs(journey, chosen)
    if chosen.json:
        print(json.dumps(_as_json(journey), indent=2))
    elif written:
        print("\n".join(f"Written: {path}" for path in written))
    else:
        print(story(journey.trace))
    return DONE


def run_compare(chosen: argparse.Namespace) -> int:
    """Send one message in three ways and put them side by side."""
    from dataclasses import asdict

    from simulator.comparison import THREE, WAYS, compare

    check_outputs(chosen)
    comparison = compare(WAYS if chosen.careless else THREE, medium=chosen.medium, latency_s=chosen.latency)
    written = write_comparison(comparison, chosen)
    if chosen.json:
        print(json.dumps([asdict(each) for each in comparison.columns], indent=2))
    else:
        print(
            f"The same letter, handed to the outgoing server in {len(comparison.columns)} ways: "
            "what a listener on that link could read, and what it cost."
        )
        print(f"\n{comparison}\n")
        print(
            "Cleartext goes to old-mail.alice.example, a server made for this lesson (unsafe_cleartext_auth); "
            "the others refuse it."
        )
        print("".join(f"Written: {file}\n" for file in written), end="")
    return DONE if comparison.delivered else NOT_DELIVERED


def run_scenario(chosen: argparse.Namespace) -> int:
    """List the stories, or run one and check what is expected of it."""
    from simulator.scenarios import scenario, scenarios
    from simulator.sync import Internet
    from simulator.views.story import story

    if chosen.name is None:
        known = scenarios()
        if chosen.json:
            print(json.dumps([{"name": each.name, "title": each.title} for each in known.values()], indent=2))
        else:
            width = max(map(len, known))
            print("\n".join(f"{name.ljust(width)}  {each.title}" for name, each in known.items()))
        return DONE
    chosen_story = scenario(chosen.name)
    check_outputs(chosen)
    with Internet(medium=chosen.medium, seed=chosen_story.seed, plan=chosen_story.plan()) as net:
        journey = chosen_story.act(net)
    results = [(each.words, each.holds(journey)) for each in chosen_story.expect]
    if chosen.json:
        print(
            json.dumps(
                {**_as_json(journey), "expected": [{"words": words, "holds": holds} for words, holds in results]},
                indent=2,
            )
        )
    else:
        print(f"{chosen_story.title}.\nLook for: {chosen_story.look_for}\n")
        print(story(journey.trace))
        print("\nAs expected?")
        print("\n".join(f"  {'yes' if holds else 'NO '}  {words}" for words, holds in results))
    write_outputs(journey, chosen)
    return DONE if all(holds for _, holds in results) else INTERNAL


def run_serve(chosen: argparse.Namespace) -> int:
    """Keep the internet running for real clients."""
    from simulator.serve import options_of, serve

    return serve(options_of(chosen), lambda text: print(text, flush=True))


def run_course(chosen: argparse.Namespace) -> int:
    """Open, start, reset, check or build the notebooks, or check the installation."""
    from simulator import course, doctor

    if chosen.what in ("start", "reset") and chosen.unit is None:
        raise UsageError(f"Which unit? Write: course {chosen.what} 4")
    if chosen.what == "start":
        return course.start(chosen.unit)
    if chosen.what == "reset":
        print("\n".join(course.reset(chosen.unit)))
        return DONE
    if chosen.what == "check":
        return _check_course(course)
    if chosen.what == "build":
        return _build_course(course, chosen)
    if chosen.what == "doctor":
        report = doctor.check_installation()
        print(report)
        return DONE if report.good else WRONG_USAGE
    return course.open_notebooks()


def _check_course(course: Any) -> int:
    ran = course.check_notebooks()
    for each in ran:
        name = f"{each.path.parent.name}/{each.path.name}"
        print(f"NO   {name}  {each.problem}" if each.problem else f"ok   {name}")
    return INTERNAL if any(each.problem for each in ran) else DONE


def _build_course(course: Any, chosen: argparse.Namespace) -> int:
    if chosen.check:
        stale = course.stale()
        for path in stale:
            print(f"Not up to date: {path}")
        return WRONG_USAGE if stale else DONE
    written = course.build()
    if chosen.site:
        written += course.build_site(Path(chosen.site), say=print)
    print("\n".join(f"Written: {path}" for path in written))
    return DONE
