"""What a learner has done, kept in a small file beside the notebooks, so that it survives a restart."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
VERSION = 1


def progress_folder() -> Path:
    """Return where progress is kept: the folder that MAIL_LAB_PROGRESS names, else one beside the notebooks."""
    return Path(os.environ.get("MAIL_LAB_PROGRESS") or ROOT / "notebooks" / ".progress")


class Progress:
    """Predictions, exercises and quiz answers of one learner in one unit.

    A file that cannot be read is put aside, one that cannot be written is not kept: `remark` says so in one sentence.
    """

    def __init__(self, unit: str, folder: Path | None = None) -> None:
        self._folder = folder or progress_folder()
        self._file = self._folder / f"{unit}.json"
        self.remark = ""
        self.predictions: dict[str, Any] = {}
        self.exercises: dict[str, dict[str, Any]] = {}
        self.quiz: dict[str, dict[str, Any]] = {}
        self._load()
        self.seed = self._seed()

    def exercise(self, name: str) -> dict[str, Any]:
        """Return what is known about one exercise: "tries", "right" and "hints"."""
        return self.exercises.setdefault(name, {"tries": 0, "right": False, "hints": 0})

    def save(self) -> None:
        """Keep it, if that is possible."""
        facts = {
            "version": VERSION, "predictions": self.predictions, "exercises": self.exercises, "quiz": self.quiz,
        }  # fmt: skip
        self._write(self._file, facts)

    def _load(self) -> None:
        try:
            facts = json.loads(self._file.read_text(encoding="utf-8"))
            if facts["version"] != VERSION:
                raise ValueError("another version")
            self.predictions = dict(facts["predictions"])
            self.exercises = {
                name: {"tries": int(each["tries"]), "right": bool(each["right"]), "hints": int(each["hints"])}
                for name, each in facts["exercises"].items()
            }
            self.quiz = {str(number): dict(each) for number, each in facts["quiz"].items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self.predictions, self.exercises, self.quiz = {}, {}, {}
            self.remark = f"Your progress in {self._file} could not be read; it was put aside, and you begin anew."
            try:
                os.replace(self._file, self._file.with_suffix(".broken"))
            except OSError:
                self.remark = f"Your progress in {self._file} could not be read; you begin anew."

    def _seed(self) -> int:
        """Return the learner's number, from which all their cases are made; drawn once."""
        if os.environ.get("MAIL_LAB_SEED", "").isdigit():
            return int(os.environ["MAIL_LAB_SEED"])
        file = self._folder / "learner.json"
        try:
            return int(json.loads(file.read_text(encoding="utf-8"))["seed"])
        except (OSError, ValueError, KeyError, TypeError):
            seed = random.SystemRandom().randrange(1, 10_000)
            self._write(file, {"seed": seed})
            return seed

    def _write(self, file: Path, facts: dict[str, Any]) -> None:
        part = file.with_suffix(f".{os.getpid()}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
            os.replace(part, file)
        except OSError as error:
            self.remark = f"Your progress cannot be kept in {file.parent} ({error.strerror or error})."
