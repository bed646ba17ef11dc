"""The commands of `ermas`, one module each; a command is a dataclass whose `run` returns the exit status."""
