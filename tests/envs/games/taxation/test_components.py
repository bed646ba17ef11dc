"""Components of both economies from data: lists of them, and single options of the default ones."""

from dataclasses import replace
from typing import Any

import pytest

from ermas_envs import EnvironmentSpec
from ermas_envs.games.economy.settings import PAPER_COMPONENTS, EconomySettings
from ermas_envs.games.one_step.settings import DEFAULT_COMPONENTS, OneStepSettings


@pytest.mark.parametrize(
    ("kind", "defaults"), [(EconomySettings, PAPER_COMPONENTS), (OneStepSettings, DEFAULT_COMPONENTS)]
)
def test_one_option_of_a_default_component_is_changed_alone(kind: Any, defaults: tuple[Any, ...]) -> None:
    changed = kind(components={"PeriodicBracketTax": {"rate_max": 0.5}}).components
    assert changed == (*defaults[:-1], replace(defaults[-1], rate_max=0.5))
    assert kind(components={}).components == defaults


@pytest.mark.parametrize(
    ("components", "message"),
    [
        ({"PeriodicBracketTx": {"period": 50}}, "components: unknown name .* Did you mean 'PeriodicBracketTax'"),
        ({"WealthRedistribution": {}}, "components: unknown name 'WealthRedistribution'"),
        ({"Gather": {"move_labour": 2.0}}, "Gather: option: unknown name .* Did you mean 'move_labor'"),
        ({"Gather": 2.0}, "Gather must be a mapping"),
        ({"Gather": {"move_labor": -1.0}}, "move_labor must be"),
    ],
)
def test_changes_that_cannot_be_are_refused(components: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EconomySettings(components=components)


def test_it_is_an_argument_as_data() -> None:
    spec = EnvironmentSpec("one_step_economy_v0", {"components": {"PeriodicBracketTax": {"rate_disc": 0.1}}})
    batch: Any = spec.changed("components.PeriodicBracketTax.rate_disc", 0.5)(1)
    assert batch.engine.settings.taxes == replace(DEFAULT_COMPONENTS[1], rate_disc=0.5)
