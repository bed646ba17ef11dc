"""Players in processes of their own, one per core with one thread each: how the original is measured, too."""

import multiprocessing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from ermas_envs.bench.players import Player, make_ready, steps_per_second


@dataclass(frozen=True)
class Size:
    """What a player is made of."""

    num_envs: int
    """Replicas."""
    memory_per_replica: int
    """Bytes."""


class Team:
    """Processes that each have all players.

    Args:
        makers: what makes a player, by name; functions of modules.
        processes: how many; the second and later ones start when the first has compiled everything.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Player]], processes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._members: list[tuple[Any, Connection]] = []
        self.sizes: dict[str, Size] = {}
        try:
            for _ in range(processes):
                ours, theirs = context.Pipe()
                member = context.Process(target=_work, args=(dict(makers), theirs), daemon=True)
                member.start()
                theirs.close()
                self._members.append((member, ours))
                self.sizes = ours.recv()
        except BaseException:
            self.close()
            raise

    def steps_per_second(self, name: str, seconds: float) -> float:
        """Steps of the players of a name, in all processes together, per second."""
        for _, member in self._members:
            member.send((name, seconds))
        return float(sum(member.recv() for _, member in self._members))

    def close(self) -> None:
        """End the processes."""
        for process, connection in self._members:
            connection.close()
            process.terminate()
            process.join()


def _work(makers: Mapping[str, Callable[[], Player]], connection: Connection) -> None:
    players = {name: make() for name, make in makers.items()}
    for player in players.values():
        make_ready(player)
    connection.send({name: Size(player.num_envs, player.memory_per_replica) for name, player in players.items()})
    while True:
        try:
            name, seconds = connection.recv()
        except EOFError:
            return
        connection.send(steps_per_second(players[name], seconds))
