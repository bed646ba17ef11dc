"""How commands print a payoff or a regret."""


def number(value: float) -> str:
    """Four decimals; of payoffs in a small unit, which would all be 0.0000, four digits instead."""
    return f"{value:z.4f}" if value == 0 or abs(value) >= 0.001 else f"{value:.4g}"
