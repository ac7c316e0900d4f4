"""The files that a command can leave behind: options, checks before anything happens, and writing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.errors import UsageError
from simulator.views.figures import FIGURES, figure_and_file

if TYPE_CHECKING:
    from simulator.comparison import Comparison
    from simulator.journey import Journey


def add_output_options(command: argparse.ArgumentParser) -> None:
    """Add --save, --html, --pcapng, --no-keys and --figure to a command."""
    command.add_argument("--save", metavar="FILE.jsonl", help="keep the trace, to be shown or drawn later")
    command.add_argument("--html", metavar="FILE.html", help="write a page that plays the journey step by step")
    command.add_argument("--pcapng", metavar="FILE.pcapng", help="write a capture that Wireshark opens and decrypts")
    command.add_argument("--no-keys", action="store_true", help="leave the TLS keys out of the capture")
    command.add_argument(
        "--figure",
        action="append",
        default=[],
        metavar="FILE.png",
        help=f"draw a figure (.png or .svg), named by the file or by NAME:FILE; there are {', '.join(FIGURES)}; "
        "default: the map",
    )


def check_outputs(chosen: argparse.Namespace) -> None:
    """Refuse a file that could not be written before anything is sent. Raises UsageError."""
    endings = {"save": ".jsonl", "html": ".html", "pcapng": ".pcapng"}
    files = [figure_and_file(text)[1] for text in chosen.figure]
    for option, ending in endings.items():
        path = getattr(chosen, option, None)
        if path is None:
            continue
        if option != "save" and Path(path).suffix.lower() != ending:
            raise UsageError(f"--{option} writes files that end in {ending}, not {path}.")
        files.append(Path(path))
    for file in files:
        if not file.absolute().parent.is_dir():
            raise UsageError(f"The folder of {file} does not exist; make it first, or choose another place.")
        if file.is_dir():
            raise UsageError(f"{file} is a folder; give the name of a file.")


def write_outputs(journey: Journey, chosen: argparse.Namespace) -> list[str]:
    """Write what was asked for; return the names of the files. Raises UsageError."""
    written = []
    if getattr(chosen, "save", None):
        written.append(str(journey.save(chosen.save)))
    if chosen.html:
        written.append(str(journey.export(chosen.html)))
    if chosen.pcapng:
        written.append(str(journey.export(chosen.pcapng, keys=not chosen.no_keys)))
    for text in chosen.figure:
        name, file = figure_and_file(text)
        try:
            journey.figure(name).savefig(file)
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror or error}.") from error
        written.append(str(file))
    return written


def write_comparison(comparison: Comparison, chosen: argparse.Namespace) -> list[str]:
    """Write the figure of a comparison, and of each way what else was asked for: one file per way, named after it.

    Raises UsageError.
    """
    written = []
    own = argparse.Namespace(**vars(chosen) | {"figure": []})
    for text in chosen.figure:
        name, file = figure_and_file(text)
        if name == "map" and not text.startswith("map"):
            try:
                comparison.figure().savefig(file)
            except OSError as error:
                raise UsageError(f"{file} cannot be written: {error.strerror or error}.") from error
            written.append(str(file))
        else:
            own.figure.append(text)
    for way, journey in comparison.journeys.items():
        each = argparse.Namespace(**vars(own))
        for option in ("save", "html", "pcapng"):
            if getattr(own, option):
                setattr(each, option, str(_of_way(Path(getattr(own, option)), way)))
        each.figure = [f"{name}:{_of_way(file, way)}" for name, file in map(figure_and_file, own.figure)]
        written += write_outputs(journey, each)
    return written


def _of_way(file: Path, way: str) -> Path:
    """Return "j-587-starttls.jsonl" for "j.jsonl" and "587, STARTTLS"."""
    return file.with_stem(f"{file.stem}-{way.lower().replace(', ', '-').replace(' ', '-')}")
