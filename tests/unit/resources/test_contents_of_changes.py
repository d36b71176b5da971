"""A kind names the contents of a change, so that they can be sent before it goes its own way."""

from __future__ import annotations

from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON, digest_bytes
from vitrify.core.resource import Resource
from vitrify.resources.registry import all_kinds
from vitrify.testing.engine import wish

OLD, NEW, OTHER = (digest_bytes(text) for text in (b"old", b"new", b"other"))


def contents(wished: Resource, **before: JSON) -> tuple[str, ...]:
    kind = all_kinds()[wished.address.kind]
    return kind.contents(Change(wished, Action.UPDATE, before, kind.desired(wished), ()))


def test_a_file_needs_its_content_unless_it_is_there() -> None:
    wished = wish("file", path="/etc/motd", content=NEW, mode="0644")

    assert contents(wished, type="missing") == (NEW,)
    assert contents(wished, type="file", content=OLD) == (NEW,)
    assert contents(wished, type="file", content=NEW, mode="0600") == ()


def test_a_process_needs_its_secrets_unless_they_are_there() -> None:
    secrets = "hmac-sha256:" + "0" * 64
    wished = wish("process", name="web", command=["/bin/true"], environment_file=secrets)

    assert contents(wished, environment="none") == (secrets,)
    assert contents(wished, environment=secrets) == ()


def test_a_tree_needs_the_files_that_differ() -> None:
    files: dict[str, JSON] = {
        "new": {"type": "file", "mode": "0644", "content": NEW},
        "open": {"type": "file", "mode": "0644", "content": OTHER},
        "kept": {"type": "file", "mode": "0644", "content": OLD},
        "link": {"type": "link", "to": "new"},
    }
    wished = wish("tree", to="/srv", entries=files)
    differing: dict[str, JSON] = {
        "new": {"type": "missing"},
        "open": {"type": "file", "mode": "0666", "content": OTHER},
        "link": {"type": "missing"},
    }

    assert contents(wished, type="directory", differing=differing) == (NEW,)
    assert sorted(contents(wished, type="missing", differing={})) == sorted((NEW, OTHER, OLD))


def test_what_has_no_content_needs_none() -> None:
    assert contents(wish("directory", path="/srv"), type="missing") == ()
    assert contents(wish("command", name="x", run=["/bin/true", "sha256"], always=True), type="command", due=True) == ()
