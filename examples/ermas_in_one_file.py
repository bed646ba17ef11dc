"""ERMAS in one sitting: the whole algorithm on exact tables, without samples, networks or `ermas_algos`.

    .venv/bin/python examples/ermas_in_one_file.py    # five seconds

A planner learns to stake while two agents do what harms it most, as long as their regret stays at ε: min over agents,
max over λ ≥ 0 of J_planner + Σ_i λ_i (regret_i − ε), and the planner maximises J_planner at the same time (paper Eqs. 7
to 12). The library's `ERMAS` with `ExactLearnerConfig` gives the same numbers; there, learners may also be those of
Stable-Baselines3.
"""

import numpy as np

from ermas_envs import batched_env
from ermas_envs.oracles import exact_regret, payoff_scale

EPSILON = 0.1  # regret that an agent may have, payoff per step
WARMUP = 40  # iterations before the first regret is measured; λ stays at λ_0
LAMBDA_0, INTEGRAL, PROPORTIONAL, LAMBDA_MAX = 4.0, 2.0, 30.0, 20.0  # how λ moves (PI control)
LEARNING_RATE, ENTROPY = 20.0, 0.002  # of every policy
GAME = {"agents_observe": "own", "planner_observes": False}


class Policy:
    """A softmax over actions for each distinct observation."""

    def __init__(self, game, role, seed):
        seen, _ = game.decision_points(role)  # what the role sees at each step in each state, (H·S, …)
        rows = {row.tobytes(): None for row in seen}
        number = {row: index for index, row in enumerate(rows)}
        self.index = np.array([number[row.tobytes()] for row in seen])
        self.shape = (game.horizon, game.start.size)
        actions = game.action_masks[role].shape[1]
        self.logits = np.random.default_rng([seed, 0]).normal(0.0, 0.1, (len(rows), actions))

    def table(self):
        """(H, S, actions) probabilities."""
        return np.exp(self._log())[self.index].reshape(*self.shape, -1)

    def improve(self, visits, advantages):
        """A natural-gradient step: the advantage, averaged over all that looks alike, and a little entropy."""
        weight = np.bincount(self.index, visits.ravel(), len(self.logits))
        weighted = (visits[..., None] * advantages).reshape(len(self.index), -1)
        total = np.stack([np.bincount(self.index, column, len(self.logits)) for column in weighted.T], axis=1)
        mean = np.divide(total, weight[:, None], out=np.zeros_like(total), where=weight[:, None] > 0)
        moved = self.logits + LEARNING_RATE * (mean - ENTROPY * self._log())
        self.logits = moved - moved.mean(axis=1, keepdims=True)

    def _log(self):
        shifted = self.logits - self.logits.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


class Play:
    """What happens when everybody follows a policy, exactly."""

    def __init__(self, game, policies):
        self.game, self.tables = game, [policies[role].table() for role in game.roles]
        self.joint = np.einsum("hsa,hsb,hsc->hsabc", *self.tables)  # probability of each joint action
        self.visits = np.zeros(self.joint.shape[:2])  # of each state at each step
        self.visits[0] = game.start
        for step in range(game.horizon - 1):
            flow = self.visits[step][:, None, None, None] * self.joint[step]
            self.visits[step + 1] = np.bincount(game.next_states.ravel(), flow.ravel(), game.start.size)

    def mean(self, rewards):
        """J: expected reward per step, of rewards (S, A, A, A)."""
        return np.einsum("hs,hsabc,sabc->", self.visits, self.joint, rewards) / self.game.horizon

    def advantages(self, role, rewards):
        """(H, S, actions) how much better an action of the role is than its policy, for rewards (S, A, A, A)."""
        after = np.zeros(self.visits.shape)  # value of each state after each step
        for step in range(self.game.horizon - 1, 0, -1):
            returns = rewards + after[step][self.game.next_states]
            after[step - 1] = np.einsum("sabc,sabc->s", self.joint[step], returns)
        returns = rewards + after[:, self.game.next_states]
        me = self.game.roles.index(role)
        others = [table for index, table in enumerate(self.tables) if index != me]
        letters = ["abc"[index] for index in range(3) if index != me]
        values = np.einsum(f"hs{letters[0]},hs{letters[1]},hsabc->hs{'abc'[me]}", *others, returns)
        return values - (self.tables[me] * values).sum(axis=2, keepdims=True)


def ermas(iterations, seed=0):
    """Train; returns the policies by role, and a row per iteration: (J_planner, regrets, λs, exact regrets)."""
    env = batched_env("augmented_bimatrix_v0", 1, **GAME)
    game = env.tabular_game()
    agents, planner = env.agents, env.planner
    seeds = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    policies = {role: Policy(game, role, int(seeds.integers(2**31))) for role in env.possible_agents}
    units = {role: game.rewards[role] / payoff_scale(game.rewards[role]) for role in game.roles}  # no currency
    multiplier, integral, deviations = dict.fromkeys(agents, LAMBDA_0), dict.fromkeys(agents, LAMBDA_0), {}
    history = []
    for iteration in range(iterations):
        regret = dict.fromkeys(agents, float("nan"))
        # 1. Every agent has a deviation that looks for a better response to the others.
        if iteration == WARMUP:
            for agent in agents:
                deviations[agent] = Policy(game, agent, 0)
                deviations[agent].logits = policies[agent].logits.copy()
        play = Play(game, policies)
        measured = {}
        for agent, deviation in deviations.items():
            alone = Play(game, {**policies, agent: deviation})
            deviation.improve(alone.visits, alone.advantages(agent, units[agent]))
            measured[agent] = Play(game, {**policies, agent: deviation})
        # 2. What the deviation gains is the agent's regret; it moves λ, the price of regret.
        for agent, alone in measured.items():
            regret[agent] = alone.mean(game.rewards[agent]) - play.mean(game.rewards[agent])
            deviations[agent].improve(alone.visits, alone.advantages(agent, units[agent]))
            violation = (regret[agent] - EPSILON) / payoff_scale(game.rewards[agent])
            summed = integral[agent] + INTEGRAL * violation
            wanted = summed + PROPORTIONAL * violation
            multiplier[agent] = min(max(wanted, 0.0), LAMBDA_MAX)
            if multiplier[agent] == wanted:  # at a limit the integral stands still
                integral[agent] = min(max(summed, 0.0), LAMBDA_MAX)
        # 3. Agents harm the planner, at the price λ of their own reward. 4. The planner minds its own.
        for agent in agents:
            price = multiplier[agent]
            lagrangian = (price * units[agent] - units[planner]) / (1.0 + price)
            policies[agent].improve(play.visits, play.advantages(agent, lagrangian))
        policies[planner].improve(play.visits, play.advantages(planner, units[planner]))
        exact = exact_regret(game, {role: policy.table() for role, policy in policies.items()})
        history.append((play.mean(game.rewards[planner]), regret, dict(multiplier), exact))
    return policies, history


if __name__ == "__main__":
    for number, (planner_payoff, regret, multiplier, exact) in enumerate(ermas(300)[1]):
        if number % 25 == 24:
            told = ", ".join(
                f"{a}: regret {regret[a]:.3f} (exact {exact[a]:.3f}) λ {multiplier[a]:.2f}" for a in regret
            )
            print(f"{number + 1:4}  planner {planner_payoff:.3f} per step;  {told}", flush=True)
