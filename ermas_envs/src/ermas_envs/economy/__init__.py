"""The gather-trade-build economy and its one-step version, compiled (shared/economy/SPEC.md of the project)."""
