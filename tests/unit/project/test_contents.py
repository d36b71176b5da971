from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.trial import Project

from vitrify.core.declaration import Content
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import digest_bytes
from vitrify.project.contents import Contents


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    return Contents(tmp_path, key=b"key")


def test_a_source_travels_as_the_digest_of_its_bytes_and_is_read_when_needed(project: Project) -> None:
    path = project.file("files/a.bin", b"\0\xff" * 5000)

    server = project.load(project.server("- file: {path: /x, source: files/a.bin}")).servers[0]

    digest = digest_bytes(b"\0\xff" * 5000)
    assert server.resources[0].fields == {"path": "/x", "content": digest}
    assert server.contents == {digest: Content(path=str(path))}


@pytest.mark.parametrize(
    "kind", ["firewall: {name: x, ", "unit: {name: x.service, ", "file: {path: /x, ", "script: {name: x, always: true, "]
)
@pytest.mark.parametrize("way", ["source: files/a", "template: files/a", "content: same}"])
def test_where_content_is_one_of_several_ways_it_travels_as_a_digest(project: Project, kind: str, way: str) -> None:
    project.file("files/a", b"same")

    (found,) = project.load(project.server(f"- {kind}{way.rstrip('}')}}}")).servers[0].resources

    assert found.fields["content"] == digest_bytes(b"same")


def test_a_source_that_is_missing_or_no_file_is_told_at_its_name(project: Project) -> None:
    project.file("folder/x")

    assert project.problem(project.server("- file: {path: /x, source: none}"))[0] == "9:34 there is no file `none`"
    assert project.problem(project.server("- file: {path: /x, source: folder}"))[0] == "9:34 `folder` is not a regular file"


def test_a_tree_is_every_entry_below_a_folder_sorted_by_path(project: Project) -> None:
    project.file("app/b.py", "b").chmod(0o664)
    project.file("app/a/run", "run").chmod(0o775)
    (project.folder / "app" / "empty").mkdir()
    (project.folder / "app" / "a" / "link").symlink_to("../b.py")

    server = project.load(project.server("- tree: {from: app, to: /srv/app}")).servers[0]

    assert server.resources[0].fields == {
        "to": "/srv/app",
        "entries": {
            "a": {"type": "directory", "mode": "0755"},
            "a/link": {"type": "link", "to": "../b.py"},
            "a/run": {"type": "file", "mode": "0755", "content": digest_bytes(b"run")},
            "b.py": {"type": "file", "mode": "0644", "content": digest_bytes(b"b")},
            "empty": {"type": "directory", "mode": "0755"},
        },
    }
    entries = server.resources[0].fields["entries"]
    assert isinstance(entries, dict)
    assert list(entries) == ["a", "a/link", "a/run", "b.py", "empty"]
    assert set(server.contents) == {digest_bytes(b"run"), digest_bytes(b"b")}


@pytest.mark.parametrize("to", ["../outside", "/etc/passwd", "../tree/file", ".."])
def test_a_link_that_leads_out_of_its_tree_is_refused(contents: Contents, tmp_path: Path, to: str) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").touch()
    (tmp_path / "tree" / "link").symlink_to(to)

    with pytest.raises(VitrifyError, match="leads out of the tree"):
        contents.tree("tree")


def test_a_link_that_leaves_by_way_of_another_link_is_refused(contents: Contents, tmp_path: Path) -> None:
    (tmp_path / "tree" / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "tree" / "short").symlink_to("deep/deeper")
    (tmp_path / "tree" / "deep" / "deeper" / "up").symlink_to("../../..")

    with pytest.raises(VitrifyError, match="leads out of the tree"):
        contents.tree("tree")


def test_links_that_stay_inside_are_kept_even_if_they_lead_to_nothing(contents: Contents, tmp_path: Path) -> None:
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "link").symlink_to("../b")

    assert contents.tree("tree")["a/link"] == {"type": "link", "to": "../b"}


def test_pipes_and_names_that_are_no_text_are_refused(contents: Contents, tmp_path: Path) -> None:
    (tmp_path / "pipes").mkdir()
    os.mkfifo(tmp_path / "pipes" / "pipe")
    (tmp_path / "bytes").mkdir()
    os.close(os.open(b"%s/bytes/\xff" % bytes(tmp_path), os.O_CREAT))
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines" / "a\nb").touch()

    for tree, message in (("pipes", "neither file, folder nor link"), ("bytes", "is not UTF-8"), ("lines", "control characters")):
        with pytest.raises(VitrifyError, match=message):
            contents.tree(tree)


def test_a_file_named_twice_is_read_once_and_again_after_it_changed(contents: Contents, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    os.utime(path, ns=(1, 1))
    first = contents.file("a")
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    second = contents.file("a")
    os.utime(path, ns=(1, 2))
    third = contents.file("a")

    assert (first, second, third) == (digest_bytes(b"one"), digest_bytes(b"one"), digest_bytes(b"two"))


@pytest.mark.parametrize("source", ["a\0b", "missing"])
def test_a_path_that_leads_nowhere_is_told(contents: Contents, source: str) -> None:
    with pytest.raises(VitrifyError):
        contents.file(source)
    with pytest.raises(VitrifyError):
        contents.tree(source)


def test_a_text_that_cannot_be_written_is_told(contents: Contents) -> None:
    with pytest.raises(VitrifyError, match="UTF-8"):
        contents.text("\ud800", secret=False)


def test_a_content_that_a_variable_filled_in_is_written_out_like_any_other_text(project: Project) -> None:
    server = project.load(project.server('- file: {path: /x, content: "${var.yes}"}', head="vars: {yes: true}")).servers[0]

    assert server.resources[0].fields["content"] == digest_bytes(b"true")
