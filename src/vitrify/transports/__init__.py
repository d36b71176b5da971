"""Reach a target."""
