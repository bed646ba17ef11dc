"""The gather-trade-build economy, compiled. SPEC, here and elsewhere, is docs/SPEC.md: the original's rules."""
