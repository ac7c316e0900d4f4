"""The command line: exit codes, one sentence per problem, no traceback."""

import json
import os
import subprocess
import sys

import pytest

CAROL = "[[organisation]]\ndomain = 'carol.example'\n[[organisation.host]]\nname = 'mail.carol.example'\n"
MESSAGE = (
    b"From: alice@alice.example\r\nTo: bob@bob.example\r\nBcc: berta@bob.example\r\nSubject: mine\r\n\r\n.one dot\r\n"
)


def run(*arguments, stdin=b"", **options):
    done = subprocess.run(
        [sys.executable, "-m", "simulator", *arguments], input=stdin, capture_output=True, timeout=120, **options
    )
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in done.err, done.err
    return done


def problem(*arguments, code=2, **options):
    """Run something wrong; return the one sentence that it says."""
    done = run(*arguments, **options)
    assert done.returncode == code, (done.returncode, done.err)
    (line,) = done.err.strip().splitlines()
    assert line.startswith("simulator: "), line
    return line


@pytest.mark.parametrize("medium", ["loopback", "memory"])
def test_main_job_tells_all_three_steps(medium):
    done = run("--medium", medium)
    assert done.returncode == 0
    for words in (
        "STEP 1",
        "STEP 2",
        "STEP 3",
        "bob@bob.example: delivered",
        "<~ 220 mail.alice.example",
        "<- 220 mx.bob.example",
    ):
        assert words in done.out


@pytest.mark.parametrize("mode", ["implicit", "starttls", "starttls-if-offered", "cleartext"])
def test_every_mode_delivers(mode):
    done = run("--medium", "memory", "--mode", mode, "--json")
    assert done.returncode == 0
    assert json.loads(done.out)["delivered"]


def test_output_is_the_same_every_time():
    assert run("--medium", "memory").out == run("--medium", "memory").out


def test_own_message_from_a_file_and_from_standard_input(tmp_path):
    file = tmp_path / "own.eml"
    file.write_bytes(MESSAGE)
    for done in (
        run("send", str(file), "--medium", "memory", "--json"),
        run("send", "-", "--medium", "memory", "--json", stdin=MESSAGE),
    ):
        assert done.returncode == 0
        told = json.loads(done.out)
        assert [r["recipient"] for r in told["recipients"]] == ["bob@bob.example", "berta@bob.example"]


def test_saved_trace_can_be_shown(tmp_path):
    saved = tmp_path / "j.jsonl"
    first = run("--medium", "memory", "--save", str(saved))
    assert first.returncode == 0
    shown = run("show", str(saved))
    assert shown.returncode == 0
    assert "STEP 1" in shown.out
    assert "<~ 220 mail.alice.example" in shown.out


def test_not_delivered_is_exit_code_1(tmp_path):
    done = run("send", "-", "--to", "nobody@bob.example", "--medium", "memory", stdin=MESSAGE)
    assert done.returncode == 1
    assert "550 5.1.1" in done.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--mode", "ssl"), "'implicit', 'starttls'"),
        (("--medium", "ether"), "loopback"),
        (("--latency", "soon"), "20ms"),
        (("--colour",), "--help"),
        (("nonsense",), "nonsense"),
        (("send", "there-is-no-such-file.eml"), "cannot be read"),
        (("show", "there-is-no-such-file.jsonl"), "cannot be read"),
        (("--plan", "there-is-no-such-plan.toml"), "cannot be read"),
        (("--save", "no/such/folder/j.jsonl"), "does not exist"),
        (("--figure", "map.bmp"), ".png"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments, words):
    assert words in problem(*arguments)


@pytest.mark.parametrize(
    ("message", "options", "words"),
    [
        (b"", (), "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", ("--from", "alice@alice.example", "--to", "bob@bob.example"), "not a message"),
        (b"Subject: who\r\n\r\nx\r\n", ("--to", "bob@bob.example"), "From"),
        (MESSAGE, ("--to", "bob"), "no @"),
        (MESSAGE, ("--to", "bob@example.com"), "no mail leaves this machine"),
        (MESSAGE, ("--from", "eve@evil.example"), "evil.example"),
        (b"From: alice@alice.example\r\n\r\nx\r\n", (), "recipient"),
    ],
)
def test_wrong_message_is_one_sentence(message, options, words):
    assert words in problem("send", "-", "--medium", "memory", *options, stdin=message)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("organisation = 3", "[[organisation]]"),
        ("not toml at all [", "TOML"),
        ("", "no organisation"),
        ("[[organisation]]\ndomain = 'carol.example'\ncolour = 1", "colour"),
        ("[[organisation]]\ndomain = 'example.com'", "reserved"),
        (
            CAROL + "address = '10.0.0.1'\nroles = ['mx']",
            "10.0.0.1",
        ),
        (
            CAROL + "roles = ['mx']",
            "address",
        ),
        (
            CAROL + "address = '192.0.2.1'\nroles = ['king']",
            "king",
        ),
    ],
)
def test_bad_plan_is_one_sentence(tmp_path, plan, words):
    file = tmp_path / "plan.toml"
    file.write_text(plan)
    assert words in problem("--plan", str(file))


@pytest.mark.parametrize(
    "octets",
    [b"", b"\0\1\2", b"{}\n", b"[]\n", b'{"format": "other"}\n', b'{"format": "mail-lab-trace", "version": 99}\n'],
)
def test_broken_trace_is_one_sentence(tmp_path, octets):
    file = tmp_path / "j.jsonl"
    file.write_bytes(octets)
    problem("show", str(file))


def test_missing_package_is_one_sentence(tmp_path):
    (tmp_path / "aiosmtpd").mkdir()
    (tmp_path / "aiosmtpd" / "__init__.py").write_text(
        "raise ModuleNotFoundError('No module named aiosmtpd', name='aiosmtpd')"
    )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), os.getcwd()]))
    assert "requirements.txt" in problem("--medium", "memory", env=environment)


def test_help_names_the_commands():
    done = run("--help")
    assert done.returncode == 0
    for command in ("send", "show", "course"):
        assert command in done.out


def test_reader_that_stops_early_is_no_error():
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", "--medium", "memory"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
