"""Checks of the batched face (`BatchedEnv`)."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import Array, BoolArray, Observation, num_rows, select
from ermas_envs.base.groups import ByRole
from ermas_envs.base.spaces import flat_mask, mask_size, split_mask
from ermas_envs.base.streams import Seed
from ermas_envs.faces.parallel_checks import AnyParallelEnv
from ermas_envs.game.batch import BatchedEnv, BatchObservation, BatchStep
from ermas_envs.game.tabular import TabularGame
from ermas_envs.testing.actions import BatchActionSource
from ermas_envs.testing.comparison import difference

MakeBatch = Callable[[int], BatchedEnv]
"""num_envs → a fresh batch with auto-reset."""

_STEPS_WITHOUT_HORIZON = 100


def enough_steps(batch: BatchedEnv) -> int:
    """Steps of a check: two whole episodes and a little more."""
    return _STEPS_WITHOUT_HORIZON if batch.horizon is None else 2 * batch.horizon + 2


def check_replica_independence(make_batch: MakeBatch) -> None:
    """Replica k does the same in batches of 1, 2 and 5, whatever the others do and wherever its seed is.

    Bit-exact comparison of observations, masks, rewards, payoffs, flags (also of whether the planner acts) and final
    observations over two episodes and more (100 steps where the environment has no horizon).
    """
    five = list(range(5))
    reference = _histories(make_batch, 11, five)
    for num_envs in (1, 2):
        _compare(_histories(make_batch, 11, five[:num_envs]), reference, f"num_envs = {num_envs} and 5")
    others = _histories(make_batch, 11, [0, *range(101, 105)])
    _compare(others[:1], reference, "two batches in which only the *other* replicas act differently")
    seeds = [31, 32, 33]
    forwards = _histories(make_batch, seeds, seeds)
    backwards = _histories(make_batch, seeds[::-1], seeds[::-1])
    _compare(backwards[::-1], forwards, "one sequence of seeds and its reverse")


def check_batched_equals_single(make_batch: MakeBatch, make_env: Callable[[], AnyParallelEnv]) -> None:
    """Replica k with seed s_k does what the PettingZoo face with seed s_k does, through auto-resets.

    For environments whose two faces share one engine: the single face goes on with `reset(seed=None)` where the
    batch resets itself, and must then see the same next episode.
    """
    seeds = [3, 14, 159]
    batch, singles = make_batch(len(seeds)), [make_env() for _ in seeds]
    source = BatchActionSource(batch, seeds)
    seen = batch.reset(seeds)
    for replica, (env, seed) in enumerate(zip(singles, seeds, strict=True)):
        observations, infos = env.reset(seed=seed)
        _same_observations(batch.planner, seen, replica, observations, infos, "after reset")
    episodes = [0] * len(seeds)
    for step in range(enough_steps(batch)):
        actions = source.draw(seen)
        seen = batch.step(actions)
        for replica, env in enumerate(singles):
            when = f"at step {step} of replica {replica}"
            single = env.step({agent: values[replica] for agent, values in actions.items()})
            _same_step(batch.planner, seen, replica, single, when)
            if not env.agents:
                episodes[replica] += 1
                first = env.reset(options={"first_episode": episodes[replica]})
                _same_observations(batch.planner, seen, replica, first[0], first[1], f"after the reset {when}")
    assert min(episodes) > 0, "no episode ended: the check saw no auto-reset"


def check_batch_observations(make_batch: MakeBatch) -> None:
    """Observations, final ones too, have their space's dtype and shape, lie in it, and may be kept.

    A Dict space has one level of Box entries, and its observations have exactly its keys.
    """
    batch = make_batch(3)
    source = BatchActionSource(batch, [0, 1, 2])
    seen = batch.reset(5)
    everything = [seen.observations]
    _inside_spaces(batch, seen.observations, "observations after reset")
    copies = copy.deepcopy(everything)
    for step in range(enough_steps(batch)):
        result = seen = batch.step(source.draw(seen))
        _inside_spaces(batch, result.observations, f"observations of step {step}")
        everything.append(result.observations)
        if (result.terminated | result.truncated).any():
            assert result.final_observations is not None, f"step {step}: an episode ended without final_observations"
            _inside_spaces(batch, result.final_observations, f"final_observations of step {step}")
            everything.append(result.final_observations)
        copies += copy.deepcopy(everything[len(copies) :])
    changed = difference(everything, copies, "kept observations")
    assert changed is None, f"the batch writes into arrays that it gave away: {changed}"


def check_masks(make_batch: MakeBatch) -> None:
    """Masks are bool, of the right shape, never all False; in tabular games they also tell the truth.

    For MultiDiscrete the mask of each part allows something. Where the batch says that the planner does not act, the
    planner's mask allows one action only.

    The truth: an action that is masked out has the same next state and rewards as some allowed action (it is
    clamped), no two allowed actions have the same, and the masks seen in play are those of the state.
    """
    batch = make_batch(8)
    game = batch.tabular_game()
    if game is not None:
        for role in game.roles:
            _honest_table(game, role)
    source = BatchActionSource(batch, list(range(8)))
    seen = batch.reset(7)
    for step in range(enough_steps(batch)):
        for agent, mask in seen.action_masks.items():
            _well_formed(batch, agent, mask)
        _idle_planner_has_no_choice(batch, seen)
        if game is not None and step < game.horizon:
            _masks_of_state(game, seen, batch.possible_agents, step)
        seen = batch.step(source.draw(seen))


def check_tables(make_batch: MakeBatch) -> None:
    """Tables are the game: first states, next states, rewards and the horizon are those of play.

    Play does not tell the state. For every replica the check keeps all states that fit what was seen and earned so far;
    none may be left over only where the tables are another game. Nothing is checked where a game has no tables, or a
    planner object plays inside.
    """
    batch = make_batch(16)
    game = batch.tabular_game()
    if game is None or game.fixed_policies:
        return
    source, seen = BatchActionSource(batch, list(range(16))), batch.reset(13)
    fits = _states_that_look_so(game, seen.observations, 0) & (game.start > 0)
    assert fits.any(axis=1).all(), "first states: what is seen after a reset is not in tabular_game() with start > 0"
    for step in range(2 * game.horizon):
        within = step % game.horizon
        actions = source.draw(seen)
        joint = tuple(np.asarray(actions[role])[:, None] for role in game.roles)
        states = np.broadcast_to(np.arange(game.start.size), fits.shape)
        seen = batch.step(actions)
        for role in game.roles:
            earned = game.rewards[role][(states, *joint)]
            fits &= np.isclose(earned, np.asarray(seen.rewards[role])[:, None], rtol=1e-6, atol=1e-9)
            assert fits.any(axis=1).all(), f"rewards of {role!r} in step {within} are not those of tabular_game()"
        over = within == game.horizon - 1
        ended = seen.terminated | seen.truncated
        assert (ended == over).all(), f"horizon: episodes end in step {within}, tabular_game() has {game.horizon} steps"
        if over:
            fits = _states_that_look_so(game, seen.observations, 0) & (game.start > 0)
        else:
            reached = np.zeros_like(fits)
            rows, columns = np.nonzero(fits)
            reached[rows, game.next_states[(states, *joint)][rows, columns]] = True
            fits = reached & _states_that_look_so(game, seen.observations, within + 1)
        assert fits.any(axis=1).all(), f"next_states: what is seen after step {within} follows in no table"


def _states_that_look_so(game: TabularGame, seen: Mapping[str, Observation], step: int) -> BoolArray:
    """(num_envs, states) whether all roles see in a state of a step what they were shown."""
    alike = np.ones((1, game.start.size), dtype=np.bool_)
    for role in game.roles:
        shown, table = np.asarray(seen[role]), game.observations[role][step]
        rows = shown.reshape(len(shown), 1, -1) == table.reshape(1, game.start.size, -1)
        alike = alike & rows.all(axis=-1)
    return alike


def check_groups(make_batch: MakeBatch) -> None:
    """Groups hold every acting role once, in order, with equal spaces, the planner alone; arrays by group are those by
    role next to each other; and actions by group do what the same actions by role do."""
    batch, by_group = make_batch(3), make_batch(3)
    members = [role for roles in batch.groups.values() for role in roles]
    assert sorted(members) == sorted(batch.possible_agents), f"groups hold {members}, not {batch.possible_agents}"
    for group, roles in batch.groups.items():
        assert roles == (batch.planner,) or batch.planner not in roles, f"the planner is not alone in group {group!r}"
        assert list(roles) == [role for role in batch.possible_agents if role in roles], f"{group!r} is not in order"
        for by_role in (batch.observation_spaces, batch.action_spaces):
            assert all(by_role[role] == by_role[roles[0]] for role in roles), f"group {group!r} has different spaces"
    source = BatchActionSource(batch, [0, 1, 2])
    seen, other = batch.reset(9), by_group.reset(9)
    for step in range(enough_steps(batch)):
        _side_by_side(batch, seen, f"before step {step}")
        actions = source.draw(seen)
        grouped = {group: np.stack([actions[r] for r in roles], axis=1) for group, roles in batch.groups.items()}
        seen, other = batch.step(actions), by_group.step(grouped)
        for replica in range(batch.num_envs):
            changed = difference(_row(seen, replica), _row(other, replica), f"step {step} of replica {replica}")
            assert changed is None, f"actions by group do something else than by role: {changed}"


def _side_by_side(batch: BatchedEnv, seen: BatchObservation, when: str) -> None:
    """That what is seen by group is what is seen by role."""
    parts: list[tuple[str, ByRole[Any]]] = [("observations", seen.observations), ("masks", seen.action_masks)]
    for name, by_role in parts:
        assert set(by_role.by_group) <= set(batch.groups), f"{name} {when} have groups {sorted(by_role.by_group)}"
        for group, array in by_role.by_group.items():
            for place, role in enumerate(batch.groups[group]):
                changed = difference(select(array, (slice(None), place)), by_role[role], f"{name} of {role!r} {when}")
                assert changed is None, f"arrays by group and by role differ: {changed}"


def _histories(make_batch: MakeBatch, seed: Seed, action_seeds: Sequence[int]) -> list[list[Any]]:
    """What each replica returned, reset and steps, when replica k acts by `action_seeds[k]`."""
    batch = make_batch(len(action_seeds))
    histories: list[list[Any]] = [[] for _ in action_seeds]
    for seen in _frames(batch, seed, BatchActionSource(batch, list(action_seeds))):
        frame = copy.deepcopy(seen)  # a batch that reuses its arrays would otherwise be compared with itself
        for replica, history in enumerate(histories):
            history.append(_row(frame, replica))
    return histories


def _frames(batch: BatchedEnv, seed: Seed, source: BatchActionSource) -> Iterator[BatchObservation]:
    seen = batch.reset(seed)
    yield seen
    for _ in range(enough_steps(batch)):
        seen = batch.step(source.draw(seen))
        yield seen


def _row(seen: BatchObservation, replica: int) -> dict[str, Any]:
    row = {
        "observations": _rows(seen.observations, replica),
        "action_masks": _rows(seen.action_masks, replica),
        "planner_acts": None if seen.planner_acts is None else seen.planner_acts[replica],
    }
    if isinstance(seen, BatchStep):
        row |= {"rewards": _rows(seen.rewards, replica), "payoffs": _rows(seen.payoffs, replica)}
        row |= {"terminated": seen.terminated[replica], "truncated": seen.truncated[replica]}
        if seen.terminated[replica] or seen.truncated[replica]:
            assert seen.final_observations is not None, "an episode ended without final_observations"
            row["final_observations"] = _rows(seen.final_observations, replica)
    return row


def _rows(by_agent: Mapping[str, Observation], replica: int) -> dict[str, Any]:
    return {agent: select(values, (replica, ...)) for agent, values in by_agent.items()}


def _compare(histories: list[list[Any]], reference: list[list[Any]], between: str) -> None:
    for replica, (ours, theirs) in enumerate(zip(histories, reference, strict=False)):
        for step, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            found = difference(a, b)
            assert found is None, (
                f"replica {replica}, step {step - 1} (−1 is reset), differs between {between}: {found}"
            )


def _same_observations(
    planner: str, seen: BatchObservation, replica: int, observations: Any, infos: Any, when: str
) -> None:
    found = difference(_rows(seen.observations, replica), dict(observations), f"observations {when}")
    assert found is None, f"batched and single face differ: {found}"
    masks = {agent: flat_mask(info["action_mask"]) for agent, info in infos.items() if "action_mask" in info}
    found = difference(_rows(seen.action_masks, replica), masks, f"action masks {when}")
    assert found is None, f"batched and single face differ: {found}"
    if planner in infos:  # it acts from outside
        acts = None if seen.planner_acts is None else bool(seen.planner_acts[replica])
        found = difference(acts, infos[planner].get("acts"), f"whether the planner acts {when}")
        assert found is None, f"batched and single face differ: {found}"


def _same_step(planner: str, seen: BatchStep, replica: int, single: Any, when: str) -> None:
    observations, rewards, terminations, truncations, infos = single
    row = _row(seen, replica)
    over = "final_observations" in row
    if over:
        found = difference(row["final_observations"], dict(observations), f"final observations {when}")
        assert found is None, f"batched and single face differ: {found}"
    else:
        _same_observations(planner, seen, replica, observations, infos, when)
    payoffs = {agent: info["payoff"] for agent, info in infos.items() if "payoff" in info}
    for name, ours, theirs in (
        ("rewards", row["rewards"], rewards),
        ("payoffs", {agent: row["payoffs"][agent] for agent in payoffs}, payoffs),
        ("terminated", dict.fromkeys(terminations, row["terminated"]), terminations),
        ("truncated", dict.fromkeys(truncations, row["truncated"]), truncations),
    ):
        found = difference(_as_numpy(ours), _as_numpy(theirs), f"{name} {when}")
        assert found is None, f"batched and single face differ: {found}"


def _as_numpy(values: dict[str, Any]) -> dict[str, Array]:
    return {agent: np.asarray(value) for agent, value in values.items()}


def _inside_spaces(batch: BatchedEnv, observations: Mapping[str, Observation], what: str) -> None:
    assert set(observations) == set(batch.possible_agents), f"{what} name {sorted(observations)}"
    for agent, seen in observations.items():
        space = batch.observation_spaces[agent]
        if not isinstance(space, spaces.Dict):
            _inside(batch.num_envs, space, seen, f"{what} of {agent!r}")
            continue
        assert isinstance(seen, Mapping), f"{what} of {agent!r} are a {type(seen).__name__}, not a mapping"
        assert set(seen) == set(space.spaces), f"{what} of {agent!r} have keys {sorted(seen)}, not {sorted(space)}"
        for key, part in space.items():
            assert isinstance(part, spaces.Box), f"{key!r} of {agent!r} is no Box: {part}"
            _inside(batch.num_envs, part, seen[key], f"{what} of {agent!r}, {key!r},")


def _inside(num_envs: int, space: spaces.Space[Any], rows: Any, what: str) -> None:
    shape = (num_envs, *(space.shape or ()))
    assert isinstance(rows, np.ndarray), f"{what} are a {type(rows).__name__}, not an array"
    assert rows.shape == shape, f"{what} have shape {rows.shape}, not {shape}"
    assert rows.dtype == space.dtype, f"{what} have dtype {rows.dtype}, not {space.dtype}"
    for row in rows:
        assert space.contains(row), f"{what} lie outside {space}: {row}"


def _well_formed(batch: BatchedEnv, agent: str, mask: BoolArray) -> None:
    space = batch.action_spaces[agent]
    size = mask_size(space)
    assert size is not None, f"{agent!r} has an action mask but no Discrete or MultiDiscrete actions: {space}"
    shape = (batch.num_envs, size)
    assert mask.shape == shape, f"action mask of {agent!r} has shape {mask.shape}, not {shape}"
    assert mask.dtype == np.bool_, f"action mask of {agent!r} has dtype {mask.dtype}, not bool"
    for part in split_mask(space, mask):
        assert part.any(axis=1).all(), f"action mask of {agent!r} allows no action in some replica"


def _idle_planner_has_no_choice(batch: BatchedEnv, seen: BatchObservation) -> None:
    acts = seen.planner_acts
    if acts is None:
        return
    assert acts.shape == (batch.num_envs,), f"planner_acts has shape {acts.shape}, not {(batch.num_envs,)}"
    assert acts.dtype == np.bool_, f"planner_acts has dtype {acts.dtype}, not bool"
    space = batch.action_spaces.get(batch.planner)
    if space is None or mask_size(space) is None or acts.all():
        return
    assert batch.planner in seen.action_masks, "planner_acts is False in some replica, but the planner has no mask"
    for part in split_mask(space, seen.action_masks[batch.planner][~acts]):
        assert (part.sum(axis=1) == 1).all(), "the planner's mask allows several actions where planner_acts is False"


def _honest_table(game: TabularGame, role: str) -> None:
    """An action's effect is its slice of next states and rewards over everything that the others may do."""
    axis = game.axis(role)
    tables = [np.moveaxis(table, axis, 1) for table in (game.next_states, *game.rewards.values())]
    for state, allowed in enumerate(game.action_masks[role]):
        effects = [tuple(table[state, action].tobytes() for table in tables) for action in range(allowed.size)]
        open_effects = [effects[action] for action in np.flatnonzero(allowed)]
        place = f"state {state}, actions of {role!r}: mask {allowed.astype(int)}"
        assert len(set(open_effects)) == len(open_effects), f"{place} allows two actions with the same effect"
        for action in np.flatnonzero(~allowed):
            assert effects[action] in open_effects, (
                f"{place} forbids action {action}, though it does what no allowed action does"
            )


def _masks_of_state(game: TabularGame, seen: BatchObservation, agents: Sequence[str], step: int) -> None:
    """Each replica's masks are those of a state in which everyone sees what it sees there."""
    num_envs = num_rows(next(iter(seen.observations.values())))
    looks = np.ones((num_envs, game.start.size), dtype=np.bool_)
    fits = looks.copy()
    for agent in agents:
        rows = np.asarray(seen.observations[agent]).reshape(num_envs, 1, -1)
        looks &= (rows == game.observations[agent][step].reshape(1, game.start.size, -1)).all(axis=-1)
        if agent in seen.action_masks:
            fits &= (seen.action_masks[agent][:, None] == game.action_masks[agent][None]).all(axis=-1)
    assert looks.any(axis=1).all(), f"step {step}: what is seen in play is in no state of tabular_game()"
    assert (looks & fits).any(axis=1).all(), f"step {step}: masks seen in play are not those of tabular_game()"
