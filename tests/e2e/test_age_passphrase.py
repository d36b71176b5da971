"""A passphrase of age takes seconds by design: too long for a test among the quick ones."""

from __future__ import annotations

from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # brings no types
import pytest

from vitrify.project.secrets import DeclaredSecrets
from vitrify.project.sources import Age, Environment, Source

pytestmark = pytest.mark.e2e


def test_age_opens_for_a_passphrase(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pyrage.passphrase.encrypt(b"three", "correct horse\n"))
    sources: dict[str, Source] = {"password": Environment("PASSWORD"), "it": Age("a", "", "password")}

    assert DeclaredSecrets(sources, tmp_path, {"PASSWORD": "correct horse\n"}).resolve("it") == "three"
