"""Recordings of the original simulator, replayed; they lie beside the repository and tests are skipped without them."""

from pathlib import Path

import pytest

from ermas_envs.economy.replay.files import read_recording
from ermas_envs.economy.replay.one_step import replay_one_step

GOLDENS = Path(__file__).parents[4] / "shared/economy/goldens"


@pytest.mark.parametrize("name", ["g2_one_step_usfed_4agents", "g3_one_step_saez_100agents"])
def test_everything_recorded_agrees(name: str) -> None:
    path = GOLDENS / f"{name}.json.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    found = replay_one_step(read_recording(path))
    exceeded = {quantity: deviation.exceeded for quantity, deviation in found.quantities.items() if deviation.exceeded}
    assert not exceeded
    for quantity in ("rewards", "utilities", "tax: tax_paid", "agents' masks", "metrics: social"):
        assert found.quantities[quantity].compared > 0
