"""Plots of result tables; they read tables and know nothing of how the numbers came about."""
