"""What a training cannot do without: the passes of its networks, on arrays that are ready.

For an iteration these are the actor's outputs step by step, as they are needed to act, one evaluation of values and
log-probabilities, and the gradient steps of all minibatches in all epochs. No environment, no sampling, no advantages,
no shuffling, no copies.
"""

from typing import Any

import numpy as np
import torch

from ermas_algos.bench.comparison import Advance
from ermas_algos.learners import SB3Learner, SB3LearnerConfig, mlp

Sizes = tuple[int, int, int, int]
"""Steps and rows of a rollout, epochs, samples of a minibatch."""


def bare_jax(observes: Any, acts: Any, hidden: tuple[int, ...], sizes: Sizes) -> Advance:
    """Passes as the learner of kind jax makes them: NumPy acts, the rest is compiled."""
    from ermas_algos.learners import jax_update
    from ermas_algos.learners.jax_update import PADDING, Adam, Rows, Targets, Weights

    steps, rows, epochs, minibatch = sizes
    network, samples = mlp.Network.of(observes, acts, hidden), steps * rows
    generator = np.random.default_rng(0)
    seen = generator.normal(size=(samples, network.inputs)).astype(np.float32)
    data = Rows(seen, np.zeros((samples, 1), np.int32), np.ones((samples, network.outputs), np.bool_))
    targets = Targets(*generator.normal(size=(3, samples)).astype(np.float32))
    vector = 0.1 * generator.normal(size=network.size).astype(np.float32)
    layers, adam = network.layers(vector), Adam(np.zeros_like(vector), np.zeros_like(vector), 0)
    each = -(-samples // minibatch)
    order = np.full((epochs, each * minibatch), PADDING, np.int32)
    order[:, :samples] = [generator.permutation(samples) for _ in range(epochs)]
    minibatches, weights = order.reshape(-1, minibatch), Weights(1e-3, 0.01, 0.2, 0.5, 0.5, True)

    def advance() -> dict[str, float]:
        for step in range(steps):
            mlp.outputs(layers.actor, seen[step * rows : (step + 1) * rows])
        jax_update.evaluate(network, vector, data)
        jax_update.update(network, vector, adam, data, targets, minibatches, len(minibatches), weights)
        return {"samples": samples, "iterations": 1}

    return advance


def bare_torch(observes: Any, acts: Any, hidden: tuple[int, ...], sizes: Sizes) -> Advance:
    """Passes of Stable-Baselines3's networks without its distributions, written as one would by hand."""
    steps, rows, epochs, minibatch = sizes
    policy = SB3Learner(SB3LearnerConfig("MaskablePPO", hidden_layers=hidden), observes, acts, 0).policy
    extractor, samples = policy.mlp_extractor, steps * rows
    generator = torch.Generator().manual_seed(0)
    seen = torch.randn(samples, observes.shape[0], generator=generator)
    masks, chosen = torch.ones(samples, int(acts.n), dtype=torch.bool), torch.zeros(samples, 1, dtype=torch.long)
    old, advantages, returns = torch.randn(3, samples, generator=generator)

    def evaluated(taken: Any) -> tuple[Any, Any, Any]:
        logits = policy.action_net(extractor.forward_actor(seen[taken])).masked_fill(~masks[taken], mlp.MASKED_LOGIT)
        logs = torch.log_softmax(logits, dim=1)
        values = policy.value_net(extractor.forward_critic(seen[taken])).flatten()
        return values, logs.gather(1, chosen[taken]).flatten(), -(logs.exp() * logs).sum(dim=1)

    def gradient_step(taken: Any) -> None:
        values, log_probs, entropy = evaluated(taken)
        aims, ratio = advantages[taken], torch.exp(log_probs - old[taken])
        aims = (aims - aims.mean()) / (aims.std() + 1e-8)
        loss = -torch.min(aims * ratio, aims * ratio.clamp(0.8, 1.2)).mean() - 0.01 * entropy.mean()
        policy.optimizer.zero_grad()
        (loss + 0.5 * torch.nn.functional.mse_loss(returns[taken], values)).backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 0.5)
        policy.optimizer.step()

    def advance() -> dict[str, float]:
        with torch.no_grad():
            for step in range(steps):
                policy.action_net(extractor.forward_actor(seen[step * rows : (step + 1) * rows]))
            evaluated(slice(None))
        for _ in range(epochs):
            for taken in torch.split(torch.randperm(samples, generator=generator), minibatch):
                gradient_step(taken)
        return {"samples": samples, "iterations": 1}

    return advance
