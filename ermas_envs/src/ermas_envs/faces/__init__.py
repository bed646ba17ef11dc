"""The faces of a game: batched, PettingZoo parallel, perturbed; written once, for the engine of any game."""
