"""What the exit status of every command means, for scripts."""

DONE = 0
"""Everything that was asked for is done; a bound that was asked about holds."""
FAILED = 1
"""It ran, but a part failed (the others are kept), or a bound does not hold."""
UNUSABLE = 2
"""Nothing was run: the arguments, a file or an environment cannot be used."""
INTERRUPTED = 130
"""Ctrl-C; what is finished is kept, and the same command goes on from there."""
