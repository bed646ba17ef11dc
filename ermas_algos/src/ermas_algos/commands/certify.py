"""`ermas certify`: what is exactly true of a checkpoint's agents and planner, or what exploiters show of them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from ermas_algos.commands.exact_games import EXACT_GAMES, ExactGame
from ermas_algos.commands.exit_status import DONE, FAILED, FROM_THE_BEGINNING
from ermas_algos.commands.numbers_given import numbers_given
from ermas_algos.commands.options import NamesAndValues, checkpoint_file, environment_spec, given_arguments, optional
from ermas_algos.commands.run_certificate import exact_certificate, has_oracle, shown_by_exploiters
from ermas_algos.evaluation.certificate import load_trainer
from ermas_envs import EnvironmentSpec
from ermas_envs.base.arguments import check_integer


@dataclass(frozen=True)
class Certify:
    """Exact regret of the agents in a checkpoint, the planner's payoff, and the worst ε-equilibrium for this planner.

    Examples: ermas certify runs/ermas; ermas certify --environment one_step_economy_v0 --schedule 0.1 0.1 0.2 0.2 0.3
    0.3 0.4; ermas certify --environment toll_v0 --tolls 0 0.65 --epsilon 0.05; ermas certify --environment contract_v0
    --contract 0 0 0.12 0 --epsilon 0.05; ermas certify runs/economy --exploiters exploiters 5 updates 200

    Exact for tabular games, and for the one-step economy, the toll game and the contract game, there also of a tax
    schedule, tolls or contracts alone; best responses see the whole state and the clock. In any other game exploiters
    are trained against the frozen others, and what they gain in fresh episodes states with 95 % how large each agent's
    regret is at least. Payoffs and regrets are undiscounted means per step, in the toll game per drive, in the contract
    game per contract. Exit status: 0 if every agent's exact regret is at most ε, or none is shown to be larger, 1 if
    not, 2 if nothing could be certified.
    """

    checkpoint: Annotated[tyro.conf.Positional[Path | None], optional("RUN")] = None
    """A run's directory, or its checkpoint.safetensors."""
    schedule: Annotated[tuple[str, ...], optional("RATE ... | FILE")] = ()
    """Tax schedule to be certified in the place of a run: one marginal rate per bracket of --environment, or a file of
    them, a list in JSON (.json) or `rates = [...]` in TOML or YAML."""
    contract: Annotated[tuple[str, ...], optional("PAYMENT ... | FILE")] = ()
    """Contracts to be certified in the place of a run: a payment per outcome, agent by agent, or a file of them, a list
    in JSON (.json) or `payments = [...]` in TOML or YAML."""
    tolls: Annotated[tuple[str, ...], optional("TOLL ... | FILE")] = ()
    """Tolls to be certified in the place of a run: one per road of --environment, or a file of them, a list in JSON
    (.json) or `tolls = [...]` in TOML or YAML."""
    epsilon: Annotated[float | None, optional("EPSILON", "ε of the training; else the largest regret found")] = None
    """Bound ε on every agent's regret that is asked about, payoff per step."""
    environment: Annotated[str | None, optional("NAME", "what the checkpoint names")] = None
    """Registered environment that the agents were trained in, or that is taxed."""
    arguments: NamesAndValues = field(default_factory=dict)
    """Arguments of that environment: names, each followed by its value in JSON (text may be bare); dots reach into
    tables: perturbation.eta 0.5."""
    exploiters: NamesAndValues = field(default_factory=dict)
    """Where the game has no oracle: settings that differ from the defaults of exploiters (5), updates of each (100),
    num_envs (64), episodes (1024), start (policy, or scratch) and learner, as in exploiters 5 episodes 2048."""
    seed: int = 0
    """Everything random in exploiters follows from it."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON instead of a table."""

    def run(self, console: Console) -> int:
        """Exit status."""
        if self.arguments and self.environment is None:
            raise ValueError("arguments: they are those of --environment; name it, too.")
        spec = (
            None
            if self.environment is None
            else environment_spec(self.environment, given_arguments(self.arguments, {}))
        )
        given = [game for game in EXACT_GAMES if getattr(self, game.option)]
        if len(given) + (self.checkpoint is not None) != 1:
            raise ValueError(
                "name a run or its checkpoint, or give a --schedule, --tolls or a --contract: one of them."
            )
        if self.checkpoint is None:
            self._require_no_exploiters()
            return self._given(console, given[0], spec)
        path = checkpoint_file(self.checkpoint)
        trainer = load_trainer(path, spec)
        if has_oracle(trainer):
            self._require_no_exploiters()
            certified = exact_certificate(trainer, self.epsilon)
        else:
            progress, seed = Console(quiet=True) if self.json else console, check_integer("seed", self.seed, 0)
            certified = shown_by_exploiters(trainer, self.exploiters, seed, self.epsilon, progress)
        if self.json:
            print(json.dumps(certified.told, indent=1))
        else:
            certified.show(console, f"{path}")
        return DONE if certified.holds else FAILED

    def _require_no_exploiters(self) -> None:
        if self.exploiters:
            raise ValueError("exploiters: this game has an exact oracle and needs none.")

    def _given(self, console: Console, game: ExactGame, spec: EnvironmentSpec | None) -> int:
        """Exit status for what a planner does, without a run."""
        if spec is None:
            raise ValueError(f"{game.option}: in which game? Name its --environment, too.")
        numbers = numbers_given(getattr(self, game.option), game.option, game.numbers)
        found = game.of_given(spec(1), numbers, self.epsilon)
        if self.json:
            print(json.dumps([found.as_dict()], indent=1))
        else:
            game.show(console, game.title, found)
        return DONE if found.holds else FAILED

    def after_interrupt(self) -> str:
        """What the same command does next."""
        return FROM_THE_BEGINNING
