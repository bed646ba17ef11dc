"""A batched environment as a Stable-Baselines3 `VecEnv`, for one role or for all agents that share a policy."""
