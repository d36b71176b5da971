"""The kind `git` with the real one: an origin that is made here, and moves on."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from serving import served
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import Resource
from vitrify.testing.this_host import ThisHost

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")]
AUTHOR = ["-c", "user.name=ada", "-c", "user.email=ada@example", "-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"]


def git(at: Path, *words: str) -> str:
    return subprocess.run(["git", *AUTHOR, *words], cwd=at, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


class Origin:
    """A repository that others fetch from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        git(path, "init", "-q")

    def commit(self, text: str, *, name: str = "file") -> str:
        (self.path / name).write_text(text)
        git(self.path, "add", "-A")
        git(self.path, "commit", "-q", "-m", text)
        return git(self.path, "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    made = Origin(tmp_path / "origin")
    made.commit("one")
    return made


@pytest.fixture
def host() -> ThisHost:
    return ThisHost()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "checkout"


def wish(host: ThisHost, origin: Origin, place: Path, *, absent: bool = False, **more: JSON) -> Resource:
    return host.wish("git", absent=absent, secret=False, path=str(place), repo=str(origin.path), **more)


def converged(host: ThisHost, resource: Resource) -> Change:
    change = host.converge(resource)
    assert change is not None
    return change


def test_a_branch_is_checked_out_and_follows_its_origin(host: ThisHost, origin: Origin, place: Path) -> None:
    resource = wish(host, origin, place, version="main")
    assert converged(host, resource).action is Action.CREATE
    assert (place / "file").read_text() == "one"

    origin.commit("two")
    change = converged(host, resource)

    assert (place / "file").read_text() == "two"
    assert change.action is Action.UPDATE
    assert "the origin has" in change.because[0]


def test_a_tag_and_a_commit_stay_where_they_are(host: ThisHost, origin: Origin, tmp_path: Path) -> None:
    first = origin.commit("tagged")
    git(origin.path, "tag", "-a", "v1", "-m", "first")
    origin.commit("later")
    for name, version in (("tag", "v1"), ("commit", first), ("ref", "refs/tags/v1")):
        place = tmp_path / name
        converged(host, wish(host, origin, place, version=version))
        assert git(place, "rev-parse", "HEAD") == first
        assert (place / "file").read_text() == "tagged"


def test_a_commit_that_a_server_does_not_give_out_by_its_id_is_found_all_the_same(host: ThisHost, origin: Origin, place: Path) -> None:
    first = origin.commit("one more")
    origin.commit("later")
    git(origin.path, "config", "uploadpack.allowAnySHA1InWant", "false")

    converged(host, host.wish("git", path=str(place), repo=f"file://{origin.path}", version=first))

    assert git(place, "rev-parse", "HEAD") == first


def test_only_the_history_that_was_asked_for_is_fetched(host: ThisHost, origin: Origin, place: Path) -> None:
    origin.commit("two")
    origin.commit("three")
    resource = host.wish("git", path=str(place), repo=f"file://{origin.path}", depth=1)
    converged(host, resource)
    assert git(place, "rev-list", "--count", "HEAD") == "1"

    origin.commit("four")
    converged(host, resource)

    assert (place / "file").read_text() == "four"
    assert git(place, "rev-list", "--count", "HEAD") == "1"


def test_what_was_changed_here_is_never_lost_without_force(host: ThisHost, origin: Origin, place: Path) -> None:
    resource = wish(host, origin, place)
    converged(host, resource)
    (place / "file").write_text("mine")
    assert host.plan(resource) is None
    origin.commit("two")

    change = host.plan(resource)
    assert change is not None
    assert change.because[-1] == "changes in it: this will fail without `force`"
    with pytest.raises(TargetFailed, match="changes in it"):
        host.converge(resource)
    assert (place / "file").read_text() == "mine"

    forced = converged(host, wish(host, origin, place, force=True))
    assert (place / "file").read_text() == "two"
    assert not forced.undoable


def test_what_was_committed_here_is_never_lost_without_force(host: ThisHost, origin: Origin, place: Path) -> None:
    resource = wish(host, origin, place)
    converged(host, resource)
    git(place, "commit", "-q", "--allow-empty", "-m", "mine")

    with pytest.raises(TargetFailed, match="commits in it"):
        host.converge(resource)
    with pytest.raises(TargetFailed, match="commits in it"):
        host.converge(wish(host, origin, place, absent=True))

    git(place, "checkout", "-q", "-b", "kept")
    git(place, "checkout", "-q", "--detach", "HEAD~")
    origin.commit("two")
    with pytest.raises(TargetFailed, match="commits in it"):
        host.converge(resource)


def test_what_git_does_not_know_stays_even_with_force(host: ThisHost, origin: Origin, place: Path) -> None:
    resource = wish(host, origin, place, force=True)
    converged(host, resource)
    (place / "cache").write_text("mine")
    origin.commit("two")

    converged(host, resource)

    assert (place / "cache").read_text() == "mine"


def test_a_change_is_taken_back_to_the_commit_before_and_to_nothing(host: ThisHost, origin: Origin, place: Path) -> None:
    resource = wish(host, origin, place)
    first = converged(host, resource)
    origin.commit("two")
    second = converged(host, resource)

    host.take_back(second)
    assert (place / "file").read_text() == "one"
    host.take_back(first)
    assert not place.exists()


def test_it_is_removed_unless_something_strange_is_in_it(host: ThisHost, origin: Origin, place: Path) -> None:
    converged(host, wish(host, origin, place))
    (place / "notes").write_text("mine")
    gone = host.wish("git", absent=True, path=str(place), repo=str(origin.path))
    with pytest.raises(TargetFailed, match="notes is not of the origin"):
        host.converge(gone)
    (place / "notes").unlink()

    removal = converged(host, gone)

    assert not place.exists()
    host.take_back(removal)
    assert (place / "file").read_text() == "one"


def test_another_origin_takes_the_place_of_the_first(host: ThisHost, origin: Origin, place: Path, tmp_path: Path) -> None:
    converged(host, wish(host, origin, place))
    other = Origin(tmp_path / "other")
    other.commit("other")

    change = converged(host, wish(host, other, place))

    assert "repo /" in change.because[0] or "repo differs" in change.because
    assert (place / "file").read_text() == "other"


def test_what_a_killed_run_began_is_finished(host: ThisHost, origin: Origin, place: Path) -> None:
    place.mkdir()
    git(place, "init", "-q")

    converged(host, wish(host, origin, place))

    assert (place / "file").read_text() == "one"


def test_what_is_no_checkout_is_left_alone(host: ThisHost, origin: Origin, place: Path) -> None:
    place.mkdir()
    (place / "file").write_text("mine")
    resource = wish(host, origin, place)

    change = host.plan(resource)
    assert change is not None
    assert change.because == ("something else is in its place: this will fail",)
    with pytest.raises(TargetFailed, match="is not empty"):
        host.converge(resource)
    assert (place / "file").read_text() == "mine"


def test_an_origin_that_does_not_answer_is_told_by_the_plan(host: ThisHost, origin: Origin, place: Path) -> None:
    resource = wish(host, origin, place)
    converged(host, resource)
    shutil.move(origin.path, origin.path.with_name("moved"))

    change = host.plan(resource)
    assert change is not None
    assert change.because == ("the origin cannot be asked: this will fail unless it can by then",)
    assert host.plan(wish(host, origin, place, update=False)) is None


def test_a_version_that_is_not_there_is_named(host: ThisHost, origin: Origin, place: Path) -> None:
    with pytest.raises(TargetFailed, match="has no version 'v9'"):
        host.converge(wish(host, origin, place, version="v9"))


def test_hooks_of_a_checkout_are_not_run(host: ThisHost, origin: Origin, place: Path) -> None:
    resource = wish(host, origin, place)
    converged(host, resource)
    hook = place / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {place}/hooked\n")
    hook.chmod(0o755)
    origin.commit("two")

    converged(host, resource)

    assert not (place / "hooked").exists()


def test_submodules_follow(host: ThisHost, place: Path, tmp_path: Path) -> None:
    inner = Origin(tmp_path / "web" / "inner")
    inner.commit("inner", name="deep")
    outer = Origin(tmp_path / "web" / "outer")
    outer.commit("outer")
    git(inner.path, "update-server-info")
    with served(tmp_path / "web") as address:
        git(outer.path, "submodule", "add", "-q", f"{address}/inner/.git", "part")
        outer.commit("with part")
        resource = wish(host, outer, place, submodules=True)
        converged(host, resource)
        assert (place / "part/deep").read_text() == "inner"

        inner.commit("inner two", name="deep")
        git(inner.path, "update-server-info")
        git(outer.path / "part", "pull", "-q", "origin", "main")
        outer.commit("part moved")
        converged(host, resource)

    assert (place / "part/deep").read_text() == "inner two"


@pytest.mark.root
def test_it_belongs_to_its_user_and_runs_as_it(host: ThisHost, origin: Origin) -> None:
    with served(origin.path) as address, tempfile.TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o755)
        git(origin.path, "update-server-info")
        place = Path(open_to_all) / "owned"
        converged(host, host.wish("git", path=str(place), repo=f"{address}/.git", user="nobody"))

        assert {(place / name).owner() for name in ("", "file", ".git/config")} == {"nobody"}
