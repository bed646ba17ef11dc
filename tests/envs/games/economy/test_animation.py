"""GIFs of episodes, and the scripted agents who play them."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ermas_envs.base.arrays import Array
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.games.economy.engine import EconomyEngine
from ermas_envs.games.economy.pictures import animation
from ermas_envs.games.economy.scripted import ScriptedAgents
from ermas_envs.games.economy.settings import Build, EconomySettings, Gather
from ermas_envs.testing.actions import BatchActionSource


def read_gif(path: Path) -> list[Array]:
    with Image.open(path) as gif:
        pictures = []
        for number in range(gif.n_frames):
            gif.seek(number)
            pictures.append(np.asarray(gif.convert("RGB")))
        return pictures


def flat_frames(number: int) -> list[Array]:
    """Squares that wander over a plain ground."""
    frames = [np.full((40, 60, 3), (238, 234, 224), np.uint8) for _ in range(number)]
    for index, frame in enumerate(frames):
        frame[10:20, 3 * index : 3 * index + 10] = (0, 114, 178)
    return frames


# Files


def test_a_gif_holds_the_frames(tmp_path: Path) -> None:
    frames = flat_frames(12)
    animation.write_gif(tmp_path / "a.gif", iter(frames), fps=10)
    for found, frame in zip(read_gif(tmp_path / "a.gif"), frames, strict=True):
        np.testing.assert_array_equal(found, frame)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.info["duration"] == 100
        assert gif.info["loop"] == 0


def test_one_frame_and_many_colours(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    animation.write_gif(tmp_path / "a.gif", [noise], fps=1)
    assert read_gif(tmp_path / "a.gif")[0].shape == (50, 50, 3)


@pytest.mark.parametrize("fps", [0, 51, 2.5, "fast"])
def test_bad_fps(tmp_path: Path, fps: int) -> None:
    with pytest.raises(ValueError, match="fps must be"):
        animation.write_gif(tmp_path / "a.gif", flat_frames(1), fps)


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [np.zeros((4, 4), np.uint8)],
        [np.zeros((4, 4, 3))],
        [np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)],
    ],
)
def test_bad_frames(tmp_path: Path, frames: list[Array]) -> None:
    with pytest.raises(ValueError, match="frames"):
        animation.write_gif(tmp_path / "a.gif", frames, fps=10)
    assert not list(tmp_path.iterdir())


# The command


def test_the_command_writes_an_episode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "episode.gif"
    animation.main(["--out", str(path), "--steps", "12", "--agents", "5", "--seed", "1"])
    assert len(read_gif(path)) == 13
    assert path.stat().st_size < 300_000
    assert str(path) in capsys.readouterr().out


@pytest.mark.parametrize("planner", sorted(animation.PLANNERS))
def test_every_planner_plays_and_the_same_seed_gives_the_same_pictures(planner: str) -> None:
    first, second = (list(islice(animation.play(3, planner, 4, "open_quadrant", 7), 4)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert len(first) == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ["--steps", "0"],
        ["--seed", "-1"],
        ["--planner", "nobody"],
        ["--agents", "1"],
        ["--fps", "0"],
        ["--out", "/no/folder/out.gif"],
    ],
)
def test_bad_arguments_exit_with_a_message(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        animation.main(["--out", str(tmp_path / "a.gif"), *arguments])
    assert stopped.value.code == 2
    assert arguments[0].strip("-") in capsys.readouterr().err.splitlines()[-1]


# Scripted agents


def coin_of(agents: str, steps: int = 150) -> float:
    """Productivity of scripted or random agents, mean over 4 replicas."""
    settings = EconomySettings(observations="compact", horizon=steps)
    batch = EngineBatch(EconomyEngine("economy_v0", 4, settings), autoreset=False)
    source, scripted = BatchActionSource(batch, [0, 1, 2, 3]), ScriptedAgents(settings)
    seen = batch.reset(0)
    for _ in range(steps):
        actions = source.draw(seen)
        if agents == "scripted":
            actions |= scripted.act(seen.observations, seen.action_masks)
            for agent in batch.agents:
                chosen = np.take_along_axis(seen.action_masks[agent], actions[agent][:, None], axis=1)
                assert chosen.all(), "an action that the mask forbids"
        seen = batch.step(actions)
    assert isinstance(batch.engine, EconomyEngine)
    metrics = batch.engine.metrics()
    if agents == "scripted":
        assert (metrics["Trade/n_trades"] > 0).all()
    return float(metrics["social/productivity"].mean())


def test_scripted_agents_choose_valid_actions_trade_and_earn_more_than_random_ones() -> None:
    assert coin_of("scripted") > 5 * max(coin_of("random"), 10.0)


@pytest.mark.parametrize("scaled", [True, False])
def test_scripted_agents_without_a_market_and_with_either_scaling(scaled: bool) -> None:
    components = (Build("pareto", 10.0, 3.0), Gather())
    settings = EconomySettings(
        components=components, observations="compact", allow_observation_scaling=scaled, horizon=150
    )
    batch = EngineBatch(EconomyEngine("economy_v0", 2, settings), autoreset=False)
    scripted, source = ScriptedAgents(settings), BatchActionSource(batch, [0, 1])
    seen = batch.reset(0)
    for _ in range(150):
        seen = batch.step(source.draw(seen) | scripted.act(seen.observations, seen.action_masks))
    assert isinstance(batch.engine, EconomyEngine)
    assert (batch.engine.metrics()["Build/total_builds"] > 3).all()


def test_scripted_agents_need_compact_observations_and_single_actions() -> None:
    for settings in (EconomySettings(), EconomySettings(observations="compact", multi_action_mode_agents=True)):
        with pytest.raises(ValueError, match="observations='compact' and multi_action_mode_agents=False"):
            ScriptedAgents(settings)
    with pytest.raises(ValueError, match="seed"):
        ScriptedAgents(EconomySettings(observations="compact"), seed=-1)
