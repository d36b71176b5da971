"""Resources become true in an image, whoever bakes and whatever lies below."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, TargetFailed
from vitrify.core.difference import Change
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.event import silence
from vitrify.core.resource import Kinds, Resource
from vitrify.core.step import carry_on
from vitrify.core.system import System
from vitrify.onhost.bake import bake
from vitrify.onhost.context import Context
from vitrify.resources.file import File
from vitrify.resources.registry import all_kinds
from vitrify.testing.engine import errors, kinds_and, outcomes, wish

CONTENTS = {digest_bytes(text): text for text in (b"hello\n", b"#!/bin/sh\n")}


class Parcel(File):
    """A file of which several are written in one act; one that is called `bad` cannot be, one called `odd` by nobody like us."""

    together = True

    def __init__(self) -> None:
        self.acts: list[tuple[str, ...]] = []

    def enact(self, change: Change, system: System) -> None:
        self.enact_all([change], system)

    def enact_all(self, changes: Sequence[Change], system: System) -> None:
        self.acts.append(tuple(change.resource.address.name for change in changes))
        for change in changes:
            if change.resource.address.name == "/bad":
                raise TargetFailed("/bad cannot be had")
            if change.resource.address.name == "/odd":
                raise DeclarationInvalid([Diagnostic("/odd cannot be baked like this", hint="be root")])
            super().enact(change, system)


def baked(upper: Path, *resources: Resource, lower: tuple[Path, ...] = (), kinds: Kinds | None = None) -> JSONObject:
    folders: list[JSON] = [str(folder) for folder in lower]
    scope: JSONObject = {"target": "image", "root": str(upper), "lower": folders, "memory": "", "bwrap": "", "key": ""}
    context = Context(emit=silence, blob=CONTENTS.__getitem__, reached=carry_on, kinds=kinds or all_kinds(), clock=lambda: 0.0)
    return bake(context, {"scope": scope, "resources": [resource.to_json() for resource in resources]})


@pytest.fixture
def upper(tmp_path: Path) -> Path:
    (tmp_path / "upper").mkdir()
    return tmp_path / "upper"


@pytest.fixture
def lower(tmp_path: Path) -> Path:
    (tmp_path / "lower/etc").mkdir(parents=True)
    (tmp_path / "lower/etc/passwd").write_text("root:x:0:0::/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n")
    (tmp_path / "lower/etc/group").write_text("root:x:0:\nwww-data:x:33:\n")
    (tmp_path / "lower/etc/motd").write_text("hello\n")
    (tmp_path / "lower/etc/motd").chmod(0o644)
    return tmp_path / "lower"


def test_everything_belongs_to_root_unless_it_is_said_otherwise(upper: Path) -> None:
    entries: JSON = {"serve": {"type": "file", "mode": "0755", "content": digest_bytes(b"#!/bin/sh\n")}}
    answer = baked(upper, wish("directory", path="/srv", mode="0750"), wish("tree", to="/srv/app", entries=entries))

    assert outcomes(answer) == ["done", "done"]
    assert answer["attributes"] == {
        "/srv": {"mode": "0750", "uid": 0, "gid": 0},
        "/srv/app": {"mode": "0755", "uid": 0, "gid": 0},
        "/srv/app/serve": {"mode": "0755", "uid": 0, "gid": 0},
    }


def test_owners_are_those_of_the_base(upper: Path, lower: Path) -> None:
    content = digest_bytes(b"hello\n")
    answer = baked(upper, wish("file", path="/etc/new", content=content, owner="www-data", mode="4711"), lower=(lower,))

    attributes = answer["attributes"]
    assert isinstance(attributes, dict)
    assert attributes["/etc/new"] == {"mode": "4711", "uid": 33, "gid": 0 if os.getegid() == 0 else attributes["/etc/new"]["gid"]}  # type: ignore[call-overload,index]


def test_what_the_base_has_already_is_not_written_again(upper: Path, lower: Path) -> None:
    answer = baked(upper, wish("file", path="/etc/motd", content=digest_bytes(b"hello\n"), mode="0644"), lower=(lower,))

    assert outcomes(answer) == ["done"]
    assert list(upper.rglob("*")) == []


def test_what_is_to_be_absent_is_hidden(upper: Path, lower: Path) -> None:
    answer = baked(upper, wish("file", absent=True, path="/etc/motd"), lower=(lower,))

    assert outcomes(answer) == ["done"]
    assert (upper / "etc/motd").lstat().st_rdev == 0
    assert (upper / "etc/motd").is_char_device()
    assert "/etc/motd" not in str(answer["attributes"])


def test_the_first_failure_skips_the_rest_and_is_told(upper: Path) -> None:
    content = digest_bytes(b"hello\n")
    answer = baked(upper, wish("file", path="/no/such/folder", content=content), wish("directory", path="/srv"))

    assert outcomes(answer) == ["failed", "skipped"]
    assert "/no/such" in errors(answer)


def files(*names: str) -> list[Resource]:
    return [wish("file", path=f"/{name}", content=digest_bytes(b"hello\n")) for name in names]


def test_neighbours_that_go_together_are_made_in_one_act(upper: Path) -> None:
    parcel = Parcel()

    answer = baked(upper, *files("a", "b"), wish("directory", path="/srv"), *files("c"), kinds=kinds_and(parcel))

    assert outcomes(answer) == ["done"] * 4
    assert parcel.acts == [("/a", "/b"), ("/c",)]
    assert (upper / "b").read_text() == "hello\n"


def test_what_an_act_did_before_it_failed_is_told_apart_from_what_it_did_not(upper: Path) -> None:
    answer = baked(upper, *files("a", "bad", "c"), wish("directory", path="/srv"), kinds=kinds_and(Parcel()))

    assert outcomes(answer) == ["done", "failed", "failed", "skipped"]
    assert errors(answer).split() == ["/bad", "cannot", "be", "had"] * 2


def test_what_is_as_wished_already_is_no_part_of_the_act(upper: Path) -> None:
    parcel = Parcel()
    (upper / "a").write_text("hello\n")

    assert outcomes(baked(upper, *files("a", "b"), kinds=kinds_and(parcel))) == ["done", "done"]
    assert parcel.acts == [("/b",)]


def test_what_can_never_be_baked_like_this_is_a_fault_of_the_declaration(upper: Path) -> None:
    with pytest.raises(DeclarationInvalid, match="/odd cannot be baked like this"):
        baked(upper, *files("a", "odd"), kinds=kinds_and(Parcel()))


def test_a_secret_never_enters_an_image(upper: Path) -> None:
    answer = baked(upper, replace(wish("file", path="/token", content=digest_bytes(b"hello\n")), secret=True))

    assert outcomes(answer) == ["failed"]
    assert "cannot be baked into an image" in errors(answer)
    assert list(upper.iterdir()) == []


def test_baking_twice_gives_the_same_table(tmp_path: Path) -> None:
    entries: JSON = {"serve": {"type": "file", "mode": "0600", "content": digest_bytes(b"#!/bin/sh\n")}}
    tables = []
    for name, mask in (("one", 0o077), ("two", 0o002)):
        (tmp_path / name).mkdir()
        before = os.umask(mask)
        try:
            tables.append(baked(tmp_path / name, wish("tree", to="/app", entries=entries))["attributes"])
        finally:
            os.umask(before)

    assert tables[0] == tables[1]


@pytest.mark.root
def test_a_user_in_an_image_over_the_running_system_brings_nobody_elses_password_along(upper: Path) -> None:
    text = b"$6$salt$hash"
    context = Context(emit=silence, blob={digest_bytes(text): text}.__getitem__, reached=carry_on, kinds=all_kinds(), clock=lambda: 0.0)
    scope: JSONObject = {"target": "image", "root": str(upper), "lower": ["/"], "memory": "", "bwrap": "", "key": ""}
    user = wish("user", name="vitrify-new", password=digest_bytes(text), create_home=False)

    answer = bake(context, {"scope": scope, "resources": [user.to_json()]})

    rows = [line.split(":") for line in (upper / "etc/shadow").read_text().splitlines()]
    assert outcomes(answer) == ["done"]
    assert len(rows) > 1
    assert {row[0] for row in rows if row[1].lstrip("!") not in ("", "*")} == {"vitrify-new"}


@pytest.mark.root
def test_a_user_in_a_layer_above_leaves_the_passwords_that_layers_beneath_declared(upper: Path, tmp_path: Path) -> None:
    text = b"$6$salt$hash"
    context = Context(emit=silence, blob={digest_bytes(text): text}.__getitem__, reached=carry_on, kinds=all_kinds(), clock=lambda: 0.0)
    above = tmp_path / "above"
    above.mkdir()
    for name, root, lower, declared in (("one", upper, ["/"], []), ("two", above, [str(upper), "/"], ["vitrify-one"])):
        scope: JSONObject = {"target": "image", "root": str(root), "lower": [*lower], "memory": "", "bwrap": "", "key": ""}
        user = wish("user", name=f"vitrify-{name}", password=digest_bytes(text), create_home=False)
        bake(context, {"scope": scope, "resources": [user.to_json()], "declared": [*declared]})

    rows = [line.split(":") for line in (above / "etc/shadow").read_text().splitlines()]
    assert {row[0] for row in rows if row[1].lstrip("!") not in ("", "*")} == {"vitrify-one", "vitrify-two"}


def test_a_layer_goes_on_with_the_modes_and_owners_of_those_beneath(upper: Path, tmp_path: Path) -> None:
    (tmp_path / "above").mkdir()
    context = Context(emit=silence, blob=CONTENTS.__getitem__, reached=carry_on, kinds=all_kinds(), clock=lambda: 0.0)
    common: JSONObject = {"target": "image", "memory": "", "bwrap": "", "key": ""}
    folder = wish("directory", path="/srv", mode="2750", owner="33", group="33")
    first = bake(context, {"scope": {**common, "root": str(upper), "lower": []}, "resources": [folder.to_json()], "keep": True})
    table = tmp_path / "table.json"
    table.write_text(json.dumps(first["table"]))
    scope: JSONObject = {**common, "root": str(tmp_path / "above"), "lower": [str(upper)], "table": str(table)}

    file = wish("file", path="/srv/x", content=digest_bytes(b"hello\n"))
    answer = bake(context, {"scope": scope, "resources": [file.to_json()]})

    assert answer["attributes"] == {"/srv": {"mode": "2750", "uid": 33, "gid": 33}, "/srv/x": {"mode": "0644", "uid": 0, "gid": 0}}
