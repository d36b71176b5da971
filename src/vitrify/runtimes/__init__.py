"""Keep instances alive."""
