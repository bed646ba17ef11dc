"""How the rules of a game are compiled, and what compiled rules share."""
