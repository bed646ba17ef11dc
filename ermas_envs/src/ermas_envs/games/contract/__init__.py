"""Contracts (`contract_v0`): a principal pays for outcomes, agents choose efforts; instances, engine, rendering."""
