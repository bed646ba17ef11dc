"""What the exit status of every command means, for scripts."""

DONE = 0
"""Everything that was asked for is done; a bound that was asked about holds."""
FAILED = 1
"""It ran, but a part failed (the others are kept), a training had to stop (its last checkpoint is kept), or a bound
does not hold."""
UNUSABLE = 2
"""The arguments, a file, a planner or an environment cannot be used; no result was written."""
INTERRUPTED = 130
"""Ctrl-C; `after_interrupt` of the command says what the same command does next."""

FROM_THE_BEGINNING = "nothing was written; the same command starts from the beginning"
"""After Ctrl-C in commands that keep nothing."""
FROM_FINISHED_JOBS = "finished jobs are kept; the same command does the rest"
"""After Ctrl-C in commands that run jobs."""
