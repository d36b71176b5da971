"""Speak with registries as the OCI distribution specification says: push, pull, attach; and believe nothing unchecked."""
