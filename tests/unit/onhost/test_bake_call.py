"""Resources become true in an image, whoever bakes and whatever lies below."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.event import silence
from vitrify.core.resource import Resource
from vitrify.core.step import carry_on
from vitrify.onhost.bake import bake
from vitrify.onhost.context import Context
from vitrify.resources.registry import all_kinds
from vitrify.testing.engine import errors, outcomes, wish

CONTENTS = {digest_bytes(text): text for text in (b"hello\n", b"#!/bin/sh\n")}


def baked(upper: Path, *resources: Resource, lower: tuple[Path, ...] = ()) -> JSONObject:
    folders: list[JSON] = [str(folder) for folder in lower]
    scope: JSONObject = {"target": "image", "root": str(upper), "lower": folders, "memory": "", "bwrap": "", "key": ""}
    context = Context(emit=silence, blob=CONTENTS.__getitem__, reached=carry_on, kinds=all_kinds(), clock=lambda: 0.0)
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
