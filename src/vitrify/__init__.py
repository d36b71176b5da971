"""Vitrify: one declaration, two lifecycles."""

__version__ = "0.1.0"
