"""`python -m ermas_envs.bench`."""

from ermas_envs.bench.command import main

main()
