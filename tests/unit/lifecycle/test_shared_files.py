"""Parts of a file that several wishes share: drift is told by what was applied, and taken over by declaring it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from bench import Bench, do, in_place
from looking import converge, look

from vitrify.core.declaration import Content, Server
from vitrify.core.digest import JSON, digest_bytes
from vitrify.core.drift import Class
from vitrify.core.resource import Address, Resource
from vitrify.lifecycle import mutable
from vitrify.testing.engine import quick_folder


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def root() -> Iterator[Path]:
    with quick_folder() as folder:
        (folder / "etc").mkdir()
        yield folder


def in_folder(server: Server) -> Server:
    """The server with the folder as its own: whatever nobody allowed in it is a finding."""
    return replace(server, resources=(Resource(Address("directory", "/etc"), {"path": "/etc"}), *server.resources))


PARTS: Mapping[str, tuple[str, str, Mapping[str, JSON]]] = {
    "ini": ("[main]x", "value", {"section": "main", "option": "x"}),
    "json": ("x", "", {"key": "x"}),
    "line": ("^x=", "", {"match": "^x="}),
    "block": ("vitrify", "content", {}),
}
"""Kind -> the name of its part, the field that a content fills, and the other fields."""


def part_of(root: Path, kind: str, value: str) -> Server:
    """A server with a part of one file, whose value this is."""
    name, content, fields = PARTS[kind]
    held = Content(data=value.encode())
    digest = digest_bytes(value.encode())
    valued = {"json": {"value": value}, "line": {"line": f"x={value}"}}.get(kind, {content: digest})
    resource = Resource(Address(kind, f"/etc/shared#{name}"), {"path": "/etc/shared", "create": True, **fields, **valued})
    return replace(in_place(root), resources=(resource,), contents={digest: held})


@pytest.mark.parametrize("kind", ["ini", "json", "line", "block"])
def test_drift_in_a_file_that_is_shared_is_told_by_what_was_applied(bench: Bench, root: Path, kind: str) -> None:
    converge(bench, part_of(root, kind, "one"))
    now, (address,) = part_of(root, kind, "two"), (wish.address for wish in part_of(root, kind, "two").resources)

    (declared,) = look(bench, now).findings
    (change,) = do(mutable.plan(now, now.hosts[0], bench.world)).changes
    content = (root / "etc/shared").read_text()
    (root / "etc/shared").write_text(content.replace("one", "three"))
    (drifted,) = look(bench, now).findings
    (drift,) = do(mutable.plan(now, now.hosts[0], bench.world)).changes

    assert (declared.path, declared.classed) == (address.name, Class.AUTHORISED)
    assert change.because == (f"the {kind} differs",)
    assert (drifted.path, drifted.classed) == (address.name, Class.UNAUTHORISED)
    assert drift.because == (f"the {kind} differs", "changed outside vitrify")


@pytest.mark.parametrize("kind", ["ini", "json", "line", "block"])
def test_drift_in_a_file_that_is_shared_is_taken_over_by_declaring_it(bench: Bench, root: Path, kind: str) -> None:
    converge(bench, part_of(root, kind, "one"))
    content = (root / "etc/shared").read_text()
    (root / "etc/shared").write_text(content.replace("one", "two"))
    now = part_of(root, kind, "two")
    (drifted,) = look(bench, now).findings

    planned = do(mutable.plan(now, now.hosts[0], bench.world))
    converge(bench, now)

    assert drifted.classed is Class.UNAUTHORISED
    assert planned.changes == ()
    assert planned.settled == now.resources
    assert look(bench, now).findings == ()
    assert do(mutable.plan(now, now.hosts[0], bench.world)).settled == ()


@pytest.mark.parametrize("kind", ["ini", "json", "line", "block"])
def test_what_was_taken_over_in_a_folder_of_ours_is_no_finding_any_more(bench: Bench, root: Path, kind: str) -> None:
    converge(bench, in_folder(part_of(root, kind, "one")))
    converge(bench, in_folder(part_of(root, kind, "1st")))
    content = (root / "etc/shared").read_text()
    (root / "etc/shared").write_text(content.replace("1st", "two"))
    now = in_folder(part_of(root, kind, "two"))
    (drifted,) = look(bench, now).findings[:1]

    converge(bench, now)

    assert (drifted.path, drifted.evidence) == ("/etc/shared", "sweep")
    assert look(bench, now).findings == ()


@pytest.mark.parametrize("kind", ["ini", "line", "block"])
def test_what_else_was_changed_in_such_a_file_stays_a_finding(bench: Bench, root: Path, kind: str) -> None:
    converge(bench, in_folder(part_of(root, kind, "one")))
    content = (root / "etc/shared").read_text()
    (root / "etc/shared").write_text(content.replace("one", "two") + "# an intruder's\n")
    now = in_folder(part_of(root, kind, "two"))

    converge(bench, now)

    assert [(finding.path, finding.evidence) for finding in look(bench, now).findings] == [("/etc/shared", "sweep")]
