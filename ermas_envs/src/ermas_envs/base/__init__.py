"""What every module may use, and knows nothing of games: arrays, checks, registries, spaces, random streams."""
