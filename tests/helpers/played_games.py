"""A program's text that plays a game and digests all that comes of it, for processes with other compilers."""

PLAY_GAME = """
import hashlib
import numpy as np
from ermas_envs.base.spaces import split_mask

def leaves(value):
    return [leaf for one in value.values() for leaf in leaves(one)] if hasattr(value, "values") else [value]

def play(env, digest):
    generator, seen = np.random.default_rng(0), env.reset(seed=1)
    for _ in range(12):
        actions = {}
        for role, space in env.action_spaces.items():
            parts = split_mask(space, seen.action_masks[role])
            chosen = np.stack([(generator.random(part.shape) * part).argmax(axis=1) for part in parts], axis=1)
            actions[role] = chosen if space.shape else chosen[:, 0]
        seen = env.step(actions)
        for array in leaves({"o": seen.observations, "r": seen.rewards, "m": seen.action_masks}):
            digest.update(np.ascontiguousarray(array).tobytes())
    for value in dict(env.engine.metrics() or {}).values():
        digest.update(value.tobytes())
"""
"""Defines `play(env, digest)`: random valid actions in a batched environment of ours, and what is seen, paid, allowed
and told of the episode."""
