"""The one command: makes a private Python environment beside itself, then runs the simulator, the course or the tests.

    python3 start.py                 the main job: one message through its three steps
    python3 start.py course          the notebooks; so with every command of the simulator and its options
    python3 start.py test            the tests, with options for pytest

Nothing outside this folder is changed. Needs Python 3.11 and, the first time, a network connection.
"""

import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from subprocess import PIPE, STDOUT

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
INSTALLED = VENV / "installed.txt"  # the requirements files that are installed, each with its hash
SIMULATOR, TESTS = "requirements.txt", "requirements-test.txt"
CONTENTS = {SIMULATOR: "what the simulator and its notebooks need", TESTS: "what the tests need"}
# Lets every Python of the environment find the code, notebooks too; works for any folder, even after it was moved.
FIND_CODE = "import os, sys; sys.path.append(os.path.dirname(sys.prefix))"
OFFLINE = ("NewConnectionError", "ConnectTimeout", "NameResolutionError", "Max retries exceeded", "ProxyError")


class CannotStart(Exception):
    """What is in the way, and what to do about it, in one sentence."""


def main(arguments: "list[str]") -> int:
    """Prepare what is missing, then run what was asked for; return its exit code."""
    if sys.version_info < OLDEST:
        raise CannotStart("This is Python {}.{}: get 3.11 or newer from python.org.".format(*sys.version_info[:2]))
    testing = arguments[:1] == ["test"]
    if not environment_works():
        make_environment()
    install([SIMULATOR, TESTS] if testing else [SIMULATOR])
    if testing:
        os.chdir(ROOT)
        return run(["-m", "pytest", *arguments[1:]])
    return run(["-m", "simulator", *arguments])


def environment_works() -> bool:
    """Tell whether the environment is whole, and its Python still there."""
    check = f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([str(PYTHON), "-c", check], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def make_environment() -> None:
    """Make `.venv` anew."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise CannotStart(
            "Python's venv module is missing: on Debian and Ubuntu, run "
            '"sudo apt install python{}.{}-venv", then start.py again.'.format(*sys.version_info[:2])
        )
    try:
        with tempfile.TemporaryFile(dir=ROOT):
            pass
    except OSError as error:
        why = f"The folder {ROOT} cannot be written ({error.strerror}): copy it to your home folder and start there."
        raise CannotStart(why) from error
    print("Making a private Python environment in .venv (some seconds) ...", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True)
    if made.returncode != 0:
        last = (made.stdout + made.stderr).decode(errors="replace").strip().splitlines()[-1:]
        raise CannotStart(f"{VENV} could not be made ({' '.join(last)}): delete it, or try in another folder.")


def install(names: "list[str]") -> None:
    """Install what requirements files ask for, unless that has been done."""
    wanted = {name: f"{name} {hashlib.sha256((ROOT / name).read_bytes()).hexdigest()}" for name in names}
    present = INSTALLED.read_text(encoding="ascii").splitlines() if INSTALLED.exists() else []
    missing = [CONTENTS[name] for name in names if wanted[name] not in present]
    if missing:
        print(f"Installing {' and '.join(missing)} (once; a minute or two) ...", flush=True)
        pip([argument for name in names for argument in ("--requirement", str(ROOT / name))])
        write = f"import sysconfig as s; open(s.get_path('purelib') + '/simulator_here.pth', 'w').write({FIND_CODE!r})"
        subprocess.run([str(PYTHON), "-c", write], check=True)
        INSTALLED.write_text("\n".join(wanted.values()), encoding="ascii")


def pip(arguments: "list[str]") -> None:
    """Run `pip install`, showing in one line what it is busy with."""
    env = dict(os.environ, PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PYTHONUTF8="1")
    command = [str(PYTHON), "-m", "pip", "install", *arguments]
    said = []
    with subprocess.Popen(command, env=env, stdout=PIPE, stderr=STDOUT, errors="replace") as process:
        for line in process.stdout or ():
            said.append(line.strip())
            if sys.stdout.isatty() and line.startswith(("Collecting", "Installing", "WARNING: Retrying")):
                print(f"  {line.split(' (')[0].strip():74.74}", end="\r", flush=True)
    if sys.stdout.isatty():
        print(" " * 76, end="\r", flush=True)
    if process.returncode == 0:
        return
    if any(word in line for line in said for word in OFFLINE):
        raise CannotStart("No way to the packages: connect to the network (or set HTTPS_PROXY) and run start.py again.")
    reason = ([line for line in said if line.startswith("ERROR: ")] or said or ["no reason given"])[-1]
    raise CannotStart(f"pip failed ({reason}): run start.py again; if that does not help, delete .venv first.")


def run(arguments: "list[str]") -> int:
    """Run Python in the environment, as if it had been started instead of this program."""
    command = [str(PYTHON), *arguments]
    if os.name == "posix":
        os.execv(command[0], command)
    process = subprocess.Popen(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that runs, not for the one that waits
    return process.wait()


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    try:
        sys.exit(main(sys.argv[1:]))
    except CannotStart as problem:
        sys.exit(f"start.py: {problem}")
    except KeyboardInterrupt:
        sys.exit("start.py: stopped; run it again to go on.")
