"""Finds and loads a project."""
