from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from vitrify.core.diagnostic import IntegrityFailed, UsageInvalid
from vitrify.project.binaries import BUBBLEWRAP, CADDY, HAPROXY, NEEDS, find


def program(folder: Path, name: str, says: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return str(folder)


ABSENT = "no-such-wheel-anywhere"


def test_the_systems_own_program_is_taken_where_it_is_new_enough(tmp_path: Path) -> None:
    search = program(tmp_path, "caddy", "v2.12.0 h1:abc=")

    assert find(CADDY, search=search).source == "system"


@pytest.mark.parametrize("says", ["v2.6.2", "2.10.9", "no version"])
def test_a_system_program_that_is_too_old_is_not_taken(tmp_path: Path, says: str) -> None:
    with pytest.raises(UsageInvalid, match=r"2\.11"):
        find(replace(CADDY, wheel=ABSENT), search=program(tmp_path, "caddy", says))


def test_bubblewrap_is_known_by_what_it_can_do(tmp_path: Path) -> None:
    assert find(BUBBLEWRAP, search=program(tmp_path, "bwrap", "--overlay-src SRC")).source == "system"
    with pytest.raises(UsageInvalid) as refused:
        find(replace(BUBBLEWRAP, wheel=ABSENT), search=program(tmp_path, "bwrap", "--ro-bind SRC DEST"))
    assert "pip install" in str(refused.value)


@pytest.mark.parametrize("need", [need for need in NEEDS if need.wheel], ids=lambda need: need.name)
def test_a_wheel_is_accepted_by_the_bytes_of_its_program_alone(tmp_path: Path, need: object) -> None:
    assert need in NEEDS
    known = next(known for known in NEEDS if known is need)

    assert find(known, search=str(tmp_path)).source.startswith(known.wheel)
    with pytest.raises(IntegrityFailed):
        find(replace(known, pinned={}), search=str(tmp_path))


def test_the_program_of_a_wheel_does_not_pass_for_the_systems() -> None:
    wheel = find(CADDY, search="/nowhere")

    assert find(CADDY, search=str(Path(wheel.path).parent)).source == wheel.source


def test_haproxy_is_the_systems_own_and_can_run_lua(tmp_path: Path) -> None:
    assert find(HAPROXY, search=program(tmp_path, "haproxy", "HAProxy version 2.6.12-1 2025\n... +LINUX_SPLICE +LUA")).source == "system"
    for says in ("HAProxy version 2.2.9\n+LUA", "HAProxy version 2.8.1\n-LUA"):
        with pytest.raises(UsageInvalid) as refused:
            find(HAPROXY, search=program(tmp_path, "haproxy", says))
        assert "pip install" not in str(refused.value)
