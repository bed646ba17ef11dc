"""Repeated bimatrix games (paper sections 4.1 and 4.3): payoffs, rules as tables, the engine, rendering."""
