"""What a listener hears on this machine, on whichever rung it stands, and that it leaves the kernel as it found it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from foreign_rule import KEY, foreign_rule
from listener import Listener, listening

from vitrify.onhost.audit_link import AuditLink
from vitrify.onhost.fanotify import Fanotify

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("audit")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    return tmp_path


@contextmanager
def heard_in(root: Path, *files: str) -> Iterator[Listener]:
    with listening(scope={"target": "folder", "root": str(root)}, folders=["/app"], files=list(files)) as found:
        yield found


def rules() -> list[bytes]:
    link = AuditLink()
    try:
        return link.rules()
    finally:
        link.close()


def test_the_rules_of_others_stay_and_ours_go(root: Path) -> None:
    with foreign_rule(str(root / "app")) as set_by_them:
        if not set_by_them:
            pytest.skip("nobody may set rules of audit here")
        with heard_in(root) as heard:
            (root / "app/new").write_text("x")
            touch, during = heard.of("/app/new"), rules()
        after = rules()

    theirs = [rule for rule in after if KEY.encode() in rule]
    assert len(theirs) == 1
    assert theirs[0] in during
    assert not [rule for rule in after if str(root).encode() in rule and rule not in theirs]
    assert touch["pid"] == os.getpid()


def test_a_writer_whom_the_kernel_does_not_audit_is_heard_all_the_same(root: Path) -> None:
    # Whoever had the file open before anybody listened makes no record of audit by writing to it.
    with (root / "app/open").open("w") as file, heard_in(root) as heard:
        file.write("x")
        file.close()
        touch = heard.of("/app/open")

    assert touch.get("pid") is None


def test_a_file_outside_of_the_folders_is_heard_and_its_neighbours_are_not(root: Path) -> None:
    with heard_in(root, "/motd") as heard:
        (root / "neighbour").write_text("x")
        (root / "motd").write_text("x")
        heard.of("/motd")

    assert "/neighbour" not in [touch["path"] for touch in heard.touches]


@pytest.mark.skipif(os.geteuid() != 0, reason="fanotify with marks without limit is for root")
def test_fanotify_tells_what_came_into_a_new_folder_before_anybody_could_mark_it(root: Path) -> None:
    fanotify = Fanotify([str(root / "app")], [])
    try:
        (root / "app/new/deep").mkdir(parents=True)
        (root / "app/new/deep/early").write_text("x")
        early = [path for path, _ in fanotify.hear()]
        (root / "app/new/deep/late").write_text("x")
        (root / "app/new").rename(root / "app/moved")
        (root / "app/moved/deep/later").write_text("x")
        late = [path for path, _ in fanotify.hear()]
    finally:
        fanotify.close()

    assert {f"{root}/app/new", f"{root}/app/new/deep", f"{root}/app/new/deep/early"} <= set(early)
    assert {f"{root}/app/new/deep/late", f"{root}/app/moved", f"{root}/app/moved/deep/later"} <= set(late)
