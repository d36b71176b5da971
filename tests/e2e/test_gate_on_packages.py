"""The gate lets everybody's packages through: what is installed here, and the standard library."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from vitrify.builders.gate import refuse_secrets
from vitrify.builders.layer import SMALL
from vitrify.core.diagnostic import Denied

pytestmark = pytest.mark.e2e

OWN_SPECIMENS = ("test", "tests")
"""Folders of tests hold real keys, made for them: a bake refuses these too, and rightly so."""


def refused(path: Path) -> bool:
    try:
        refuse_secrets(str(path), path.read_bytes())
    except Denied:
        return True
    return False


@pytest.mark.parametrize("which", ["purelib", "stdlib"])
def test_no_ordinary_file_of_a_package_is_taken_for_a_secret(which: str, record_property: Callable[[str, object], None]) -> None:
    folder = Path(sysconfig.get_path(which))
    files = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < SMALL]

    found = {str(path) for path in files if not set(OWN_SPECIMENS) & set(path.parts) and refused(path)}

    record_property("note", f"files looked at in {which}: {len(files)}")
    assert len(files) > 100
    assert found == set()
