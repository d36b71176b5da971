"""Every fixture of the kind `command`, with real programs, in an image that stands on this host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from vitrify.core.system import System
from vitrify.onhost.root import image_system
from vitrify.project.binaries import find_bubblewrap
from vitrify.resources.registry import all_kinds
from vitrify.testing.kind_fixtures import KEY, Fixture, read_fixture, run_fixture

KINDS = all_kinds()
FIXTURES = [read_fixture(path, KINDS) for path in sorted((Path(__file__).resolve().parents[1] / "kinds" / "command").glob("*.toml"))]


@pytest.mark.e2e
@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_a_command_does_in_an_image_of_this_host_what_its_fixture_says(fixture: Fixture, tmp_path: Path) -> None:
    def system(contents: Mapping[str, bytes]) -> System:
        return image_system(str(tmp_path / "upper"), ["/"], bwrap=find_bubblewrap(), blob=contents.__getitem__, key=KEY)

    (tmp_path / "upper").mkdir()
    run_fixture(fixture, system, kinds=KINDS)
