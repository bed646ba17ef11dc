"""The log of an episode: accounts that add up, files that say the same, and mistakes that are noticed."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.faces.parallel import EngineParallelEnv
from ermas_envs.games.economy.dense_log import COLUMNS, EpisodeLog
from ermas_envs.games.economy.engine import EconomyEngine
from ermas_envs.games.economy.scripted import ScriptedAgents
from ermas_envs.games.economy.settings import (
    PAPER_COMPONENTS,
    Build,
    ContinuousDoubleAuction,
    EconomySettings,
    Gather,
)
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.tax_planners import FreeMarket, USFederal, tax_rule
from ermas_envs.testing.actions import BatchActionSource

SETTINGS: dict[str, Any] = {
    "horizon": 120,
    "observations": "compact",
    "components": (*PAPER_COMPONENTS[:3], PeriodicBracketTax(period=50)),
}


def make_batch(num_envs: int = 1, autoreset: bool = False, planner: Any = None, **settings: Any) -> EngineBatch:
    planner, given = planner or USFederal(), EconomySettings(**(SETTINGS | settings))
    return EngineBatch(
        EconomyEngine("economy_v0", num_envs, given, tax_rule(planner, given.taxes)), planner, autoreset=autoreset
    )


def engine_of(batch: EngineBatch) -> EconomyEngine:
    assert isinstance(batch.engine, EconomyEngine)
    return batch.engine


def played(batch: EngineBatch, log: EpisodeLog, seed: int = 0) -> EpisodeLog:
    """An episode of scripted agents, or random ones where there are no scripted ones."""
    settings = engine_of(batch).settings
    scripted = None if settings.multi_action_mode_agents else ScriptedAgents(settings, seed)
    source = BatchActionSource(batch, list(range(batch.num_envs)))
    seen = batch.reset(seed)
    log.begin()
    for _ in range(batch.horizon):
        actions = scripted.act(seen.observations, seen.action_masks) if scripted else source.draw(seen)
        seen = batch.step(actions)
        log.record()
    return log


@pytest.fixture(scope="module")
def batch() -> EngineBatch:
    return make_batch(2)


@pytest.fixture(scope="module")
def log(batch: EngineBatch) -> EpisodeLog:
    return played(batch, EpisodeLog(engine_of(batch), replica=1))


def of_agent(log: EpisodeLog, agent: int, column: str) -> Any:
    return np.array([row[column] for row in log.tables["agents"] if row["agent"] == agent])


def test_one_row_per_step_and_agent_with_the_documented_columns(log: EpisodeLog) -> None:
    assert [(row["step"], row["agent"]) for row in log.tables["agents"]] == [
        (step, agent) for step in range(121) for agent in range(4)
    ]
    assert [row["step"] for row in log.tables["planner"]] == list(range(121))
    for table, rows in log.tables.items():
        assert all(list(row) == list(COLUMNS[table]) for row in rows), table
        assert rows, f"{table}: nothing happened"


@pytest.mark.parametrize("agent", range(4))
def test_changes_of_coin_are_explained_by_the_events(log: EpisodeLog, agent: int) -> None:
    endowment = of_agent(log, agent, "coin") + of_agent(log, agent, "escrowed_coin")
    plus = of_agent(log, agent, "build_income") + of_agent(log, agent, "trade_income")
    taxed = of_agent(log, agent, "lump_sum") - of_agent(log, agent, "tax_paid")
    np.testing.assert_allclose(np.diff(endowment), (plus + taxed)[1:], atol=1e-9)


def test_coin_comes_from_houses_only(log: EpisodeLog) -> None:
    coin = sum(of_agent(log, agent, "coin")[-1] + of_agent(log, agent, "escrowed_coin")[-1] for agent in range(4))
    assert coin == pytest.approx(sum(row["income"] for row in log.tables["houses"]))
    assert coin == pytest.approx(log.tables["planner"][-1]["productivity"])
    assert sum(row["tax_paid"] - row["lump_sum"] for row in log.tables["taxes"]) == pytest.approx(0.0)


@pytest.mark.parametrize("resource", ["stone", "wood"])
def test_units_are_gathered_traded_and_built_into_houses(log: EpisodeLog, resource: str) -> None:
    for agent in range(4):
        held = of_agent(log, agent, resource)[-1] + of_agent(log, agent, f"escrowed_{resource}")[-1]
        trades = [row for row in log.tables["trades"] if row["resource"] == resource]
        bought = sum((row["buyer"] == agent) - (row["seller"] == agent) for row in trades)
        houses = sum(row["agent"] == agent for row in log.tables["houses"])
        assert held == of_agent(log, agent, f"gathered_{resource}").sum() + bought - houses


def test_tables_agree_with_each_other_and_with_the_metrics(batch: EngineBatch, log: EpisodeLog) -> None:
    metrics = {name: values[1] for name, values in engine_of(batch).metrics().items()}
    assert metrics["Trade/n_trades"] == len(log.tables["trades"])
    assert metrics["Build/total_builds"] == len(log.tables["houses"])
    assert metrics["PeriodicTax/total_collected_taxes"] == pytest.approx(
        sum(row["tax_paid"] for row in log.tables["taxes"])
    )
    assert metrics["social/equality"] == pytest.approx(log.tables["planner"][-1]["equality"])
    assert sum(row["trades"] for row in log.tables["agents"]) == 2 * len(log.tables["trades"])
    for agent in range(4):
        assert of_agent(log, agent, "payoff").sum() == pytest.approx(
            of_agent(log, agent, "utility")[-1] - of_agent(log, agent, "utility")[0]
        )
    collections = [row for row in log.tables["agents"] if row["income"] is not None]
    assert sorted({row["step"] for row in collections}) == [50, 100]
    shared = ("step", "agent", "income", "marginal_rate", "tax_paid", "lump_sum")
    assert [[row[name] for name in shared] for row in collections] == [
        [row[name] for name in shared] for row in log.tables["taxes"]
    ]
    assert [row["rate"] for row in log.tables["schedules"][:7]] == [0.10, 0.12, 0.22, 0.24, 0.32, 0.35, 0.37]


def test_houses_stand_on_the_map_where_the_log_says(batch: EngineBatch, log: EpisodeLog) -> None:
    engine = engine_of(batch)
    pad, owners = engine.rules.observations.pad, engine.state.world.owners[1]
    told = {(row["row"], row["column"]): row["agent"] for row in log.tables["houses"]}
    found = {(int(r) - pad, int(c) - pad): int(owners[r, c]) - 2 for r, c in np.argwhere(owners > 0)}
    assert told == found


def test_actions_are_told_in_words(log: EpisodeLog) -> None:
    places = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
    kinds = set()
    for agent in range(4):
        action = of_agent(log, agent, "action")
        moved = np.stack([np.diff(of_agent(log, agent, name)) for name in ("row", "column")], axis=1).tolist()
        kinds |= {written.split(":")[0] for written in action}
        for written, change in zip(action[1:], moved, strict=True):
            assert tuple(change) in {places.get(written, (0, 0)), (0, 0)}
        assert ((of_agent(log, agent, "build_income") > 0) <= (action == "build")).all()
    assert {"nothing", "build", *places, "buy_wood", "sell_stone"} <= kinds


def test_several_actions_in_a_step_are_joined() -> None:
    batch = make_batch(multi_action_mode_agents=True, horizon=20)
    log = played(batch, EpisodeLog(engine_of(batch)))
    assert any("+" in row["action"] for row in log.tables["agents"])


def test_moving_before_building_puts_houses_where_the_owners_are() -> None:
    components = (Gather(skill_dist="pareto"), ContinuousDoubleAuction(), Build("pareto", 10.0, 3.0))
    batch = make_batch(planner=FreeMarket(), components=components)
    log = played(batch, EpisodeLog(engine_of(batch)))
    after = {(row["step"], row["agent"]): (row["row"], row["column"]) for row in log.tables["agents"]}
    assert log.tables["houses"]
    assert all(after[row["step"], row["agent"]] == (row["row"], row["column"]) for row in log.tables["houses"])
    assert log.tables["taxes"] == log.tables["schedules"] == []


def test_files_hold_the_tables(log: EpisodeLog, tmp_path: Path) -> None:
    files = log.write(tmp_path / "new" / "log")
    assert [file.stem for file in files] == list(COLUMNS)
    for file in files:
        with file.open(newline="", encoding="utf-8") as opened:
            read = list(csv.DictReader(opened))
        rows = log.tables[file.stem]
        assert len(read) == len(rows)
        for found, row in zip(read, rows, strict=True):
            for column, value in row.items():
                told = found[column]
                assert (told == "") if value is None else (type(value)(told) == value)


def test_the_parallel_environment_gives_the_log_of_the_replica_that_does_the_same() -> None:
    batch, env = make_batch(3), EngineParallelEnv(make_batch(1))
    logs = EpisodeLog(engine_of(batch)), EpisodeLog(engine_of(env.batch))
    scripted, seen = ScriptedAgents(engine_of(batch).settings, 2), batch.reset(7)
    env.reset(seed=7)
    for log in logs:
        log.begin()
    while env.agents:
        actions = scripted.act(seen.observations, seen.action_masks)
        seen = batch.step(actions)
        env.step({agent: chosen[0] for agent, chosen in actions.items()})
        for log in logs:
            log.record()
    assert logs[0].tables == logs[1].tables
    assert len(logs[0].tables["planner"]) == 121


def test_scripted_agents_take_what_the_parallel_environment_shows() -> None:
    env = EngineParallelEnv(make_batch(1))
    scripted = ScriptedAgents(engine_of(env.batch).settings)
    observations, infos = env.reset(seed=5)
    while env.agents:
        masks = {agent: infos[agent]["action_mask"] for agent in env.agents}
        observations, _, _, _, infos = env.step(scripted.act(observations, masks))
    assert engine_of(env.batch).metrics()["Build/total_builds"][0] > 0


def test_begin_forgets(batch: EngineBatch) -> None:
    log = EpisodeLog(engine_of(batch))
    played(batch, log)
    first = {name: list(rows) for name, rows in log.tables.items()}
    played(batch, log)
    assert log.tables == first


def test_auto_reset_is_noticed() -> None:
    batch = make_batch(autoreset=True, horizon=5)
    with pytest.raises(RuntimeError, match="autoreset=False"):
        played(batch, EpisodeLog(engine_of(batch)))


def test_steps_left_out_and_wrong_replicas_are_noticed() -> None:
    batch = make_batch()
    engine = engine_of(batch)
    log = EpisodeLog(engine)
    source = BatchActionSource(batch, [0])
    with pytest.raises(RuntimeError, match="after begin"):
        log.record()
    seen = batch.reset(0)
    log.begin()
    with pytest.raises(RuntimeError, match="last recorded step is 0, and the replica is at step 0"):
        log.record()
    batch.step(source.draw(seen))
    with pytest.raises(RuntimeError, match="must follow a reset"):
        log.begin()
    batch.step(source.draw(seen))
    with pytest.raises(RuntimeError, match="last recorded step is 0, and the replica is at step 2"):
        log.record()
    for replica in (-1, 1, 0.5):
        with pytest.raises(ValueError, match="replica must be"):
            EpisodeLog(engine, replica)  # type: ignore[arg-type]
