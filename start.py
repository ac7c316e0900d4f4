"""The one command: makes a private Python environment beside itself, then runs the simulator, the course or the tests.

    python3 start.py                 the main job: one message through its three steps
    python3 start.py compare         any command of the simulator, with its options
    python3 start.py course          the notebooks
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

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "installed.txt"  # what is installed: name and hash of each requirements file
REQUIREMENTS = {"requirements.txt": "the simulator and the notebooks: about 150 MB, a minute or two on a good line",
                "requirements-test.txt": "the tools of the tests: about 50 MB, half a minute"}
# In any environment, so that Python, pip and the notebooks agree about where the code is; ASCII wherever the folder is.
FIND_CODE = "import os, sys; sys.path.append(os.path.dirname(sys.prefix))\n"
OFFLINE = ("NewConnectionError", "ConnectTimeout", "NameResolutionError", "getaddrinfo failed", "Max retries exceeded",
           "ProxyError", "Network is unreachable")


class CannotStart(Exception):
    """What is in the way, and what to do about it, in one sentence."""


def main(arguments: list) -> int:
    """Prepare what is missing, then run what was asked for; return its exit code."""
    if sys.version_info < OLDEST:
        raise CannotStart("This is Python {}.{}, and Python {}.{} or newer is needed: get it from https://www.python.org/downloads/, "
                          "then run start.py with it.".format(*sys.version_info[:2], *OLDEST))
    testing = arguments[:1] == ["test"]
    wanted = list(REQUIREMENTS) if testing else ["requirements.txt"]
    if not works():
        make_environment()
    install([name for name in wanted if fingerprint(name) not in installed()])
    if testing:
        os.chdir(ROOT)
        return run(["-m", "pytest", *arguments[1:]])
    return run(["-m", "simulator", *arguments])


def works() -> bool:
    """Tell whether the environment is there and of use: not half made, and not of a Python that is gone."""
    check = f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([str(PYTHON), "-c", check], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def make_environment() -> None:
    """Make `.venv` anew."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        version = "{}.{}".format(*sys.version_info[:2])
        raise CannotStart(f"Python's venv module is missing: on Debian or Ubuntu run \"sudo apt install python{version}-venv\", "
                          "then start.py again.")
    try:
        with tempfile.TemporaryFile(dir=ROOT):
            pass
    except OSError as error:
        raise CannotStart(f"The folder {ROOT} cannot be written ({error.strerror}): "
                          "copy it to a place of your own, such as your home folder.") from error
    print("Making a private Python environment in .venv (a few seconds) ...", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, errors="replace")
    if made.returncode:
        said = (made.stdout + made.stderr).strip().splitlines() or ["no reason given"]
        raise CannotStart(f"The environment {VENV} could not be made ({said[-1]}): delete that folder and try again.")
    packages = next(VENV.glob("[Ll]ib/**/site-packages"))
    (packages / "simulator_here.pth").write_text(FIND_CODE, encoding="ascii")


def fingerprint(name: str) -> str:
    """Return the name of a requirements file with a hash of what it asks for."""
    return name + " " + hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


def installed() -> list:
    """Return the fingerprints of what is installed."""
    return STAMP.read_text(encoding="ascii").splitlines() if STAMP.exists() else []


def install(names: list) -> None:
    """Install what the requirements files ask for, and remember it."""
    for name in names:
        print(f"Installing {REQUIREMENTS[name]} ...", flush=True)
        pip([arg for file in REQUIREMENTS if file == name or any(f.startswith(file) for f in installed())
             for arg in ("--requirement", str(ROOT / file))])
        kept = [line for line in installed() if not line.startswith(name + " ")]
        STAMP.write_text("\n".join([*kept, fingerprint(name)]), encoding="ascii")


def pip(arguments: list) -> None:
    """Run `pip install`, with one moving line to look at."""
    settings = dict(os.environ, PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", PYTHONIOENCODING="utf-8")
    process = subprocess.Popen([str(PYTHON), "-m", "pip", "install", *arguments], env=settings, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    said = []
    for line in process.stdout:
        said.append(line.strip())
        if sys.stdout.isatty() and line.startswith(("Collecting", "Installing", "WARNING: Retrying")):
            print("\r  " + line.strip()[:72].ljust(72), end="", flush=True)
    if sys.stdout.isatty():
        print("\r" + " " * 74 + "\r", end="")
    if process.wait() == 0:
        return
    if any(word in line for line in said for word in OFFLINE):
        raise CannotStart("The packages could not be fetched from pypi.org: connect this computer to the network (behind a proxy, "
                          "set HTTPS_PROXY), then run start.py again.")
    reason = next((line for line in reversed(said) if line.startswith("ERROR")), said[-1] if said else "no reason given")
    raise CannotStart(f"pip could not install the packages ({reason.removeprefix('ERROR: ')}): run start.py again; "
                      "if that does not help, delete the folder .venv first.")


def run(arguments: list) -> int:
    """Run Python in the environment, as if it had been started instead of this program."""
    sys.stdout.flush()
    command = [str(PYTHON), *arguments]
    if os.name != "nt":
        os.execv(command[0], command)
    process = subprocess.Popen(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that runs, not for the one that waits
    return process.wait()


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        sys.exit(main(sys.argv[1:]))
    except CannotStart as problem:
        sys.exit(f"start.py: {problem}")
    except KeyboardInterrupt:
        sys.exit("\nstart.py: stopped; run it again to go on.")
