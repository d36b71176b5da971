"""The append-only, tamper-evident log."""
