"""`python -m ermas_algos.bench`."""

from ermas_algos.bench.command import main

main()
