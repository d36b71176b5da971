"""Move traffic."""
