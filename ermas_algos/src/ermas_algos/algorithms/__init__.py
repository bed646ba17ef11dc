"""MARL and ERMAS: the outer loop around learners (paper section 3; design section 4)."""

from ermas_algos.algorithms.config import ERMASConfig, MARLConfig
from ermas_algos.algorithms.ermas import ERMAS
from ermas_algos.algorithms.marl import MARL

__all__ = ["ERMAS", "MARL", "ERMASConfig", "MARLConfig"]
