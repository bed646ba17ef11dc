"""How large a reproduction is: all of it, or a quick look."""

from dataclasses import dataclass

from ermas_envs.arguments import check_flag, check_integer, keep


@dataclass(frozen=True)
class Scale:
    """Size of an experiment."""

    seeds: int = 10
    """Seeds of every point, 0, 1, …; none is ever dropped."""
    quick: bool = False
    """Few points and few iterations, to see that everything runs; the numbers mean nothing."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        keep(self, seeds=check_integer("seeds", self.seeds, 1), quick=check_flag("quick", self.quick))
