"""CHECKING: predictions, exercises and quizzes, judged by what happened in a trace."""

from simulator.exercises.exercise import Exercise, Right, Wrong, trace_of
from simulator.exercises.prediction import Prediction, Withheld
from simulator.exercises.quiz import Option, Question
from simulator.exercises.unit import Section, Unit
from simulator.exercises.verdict import Verdict, right, wrong

__all__ = [
    "Exercise",
    "Option",
    "Prediction",
    "Question",
    "Right",
    "Section",
    "Unit",
    "Verdict",
    "Withheld",
    "Wrong",
    "right",
    "trace_of",
    "wrong",
]
