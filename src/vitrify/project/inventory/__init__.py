"""Reads what other tools know about hosts, and writes it as groups and variables of a declaration."""
