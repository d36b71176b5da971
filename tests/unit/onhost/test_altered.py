from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from vitrify.onhost.altered import Layer, altered


@pytest.fixture
def layer(tmp_path: Path) -> Layer:
    for name in ("upper", "lower"):
        (tmp_path / name).mkdir()
    for name in ("etc", "srv"):
        (tmp_path / "lower" / name).mkdir()
    (tmp_path / "lower/etc/motd").write_text("as baked")
    (tmp_path / "lower/etc/motd").chmod(0o644)
    (tmp_path / "lower/srv/one").write_text("1")
    return Layer("/", str(tmp_path / "upper"), (str(tmp_path / "lower"),))


def upper(layer: Layer, path: str, content: str, *, mode: int = 0o644) -> Path:
    file = Path(layer.upper, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    file.chmod(mode)
    return file


def whiteout(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(0, 0))


def told(layer: Layer) -> Mapping[tuple[str, str], object]:
    return {(str(finding["path"]), str(finding["change"])): finding["details"] for finding in altered([layer])}


def test_an_untouched_layer_has_no_findings(layer: Layer) -> None:
    assert altered([layer]) == []


def test_an_added_file_is_found_with_who_and_when(layer: Layer) -> None:
    os.utime(upper(layer, "srv/evil", "x"), (1_700_000_000, 1_700_000_000))

    [finding] = altered([layer])

    assert (finding["path"], finding["change"], finding["modified_at"]) == ("/srv/evil", "added", 1_700_000_000)
    assert finding["old"] is None
    assert finding["owner"]


def test_a_copy_that_the_kernel_made_and_nobody_changed_is_no_finding(layer: Layer) -> None:
    upper(layer, "etc/motd", "as baked")

    assert told(layer) == {}


def test_a_changed_file_tells_what_differs(layer: Layer) -> None:
    upper(layer, "etc/motd", "as hacked", mode=0o666)

    details = told(layer)["/etc/motd", "changed"]

    assert isinstance(details, list)
    assert details[:2] == ["mode 0644 -> 0666", "size 8 -> 9"]
    assert details[2].startswith("content sha256:")


def test_a_whiteout_is_a_removal_only_where_something_was(layer: Layer) -> None:
    whiteout(Path(layer.upper, "srv/one"))
    whiteout(Path(layer.upper, "srv/never-there"))

    assert told(layer) == {("/srv/one", "removed"): ["was a file"]}


def test_a_folder_that_was_replaced_lost_what_the_old_one_held(layer: Layer) -> None:
    upper(layer, "srv/two", "2")
    os.setxattr(f"{layer.upper}/srv", "user.overlay.opaque", b"y")

    assert set(told(layer)) == {("/srv/two", "added"), ("/srv/one", "removed")}


def test_a_file_that_became_a_link_is_changed_and_the_link_is_not_followed(layer: Layer) -> None:
    Path(layer.upper, "etc").mkdir()
    Path(layer.upper, "etc/motd").symlink_to("/etc/shadow")
    Path(layer.upper, "srv").symlink_to("/")

    assert told(layer) == {("/etc/motd", "changed"): ["file -> link"], ("/srv", "changed"): ["directory -> link"]}


def test_a_folder_on_a_link_of_the_image_does_not_merge_with_what_the_link_leads_to(layer: Layer, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/secret").write_text("s")
    (tmp_path / "lower/way").symlink_to(tmp_path / "elsewhere")
    upper(layer, "way/secret", "s")

    assert set(told(layer)) == {("/way", "changed"), ("/way/secret", "added")}


def test_hostile_names_and_things_that_are_no_files_are_told_and_not_opened(layer: Layer) -> None:
    os.mkfifo(f"{layer.upper}/pipe")
    name = b"\xff\nnot-a-line\x1b[31m"
    with open(os.fsencode(layer.upper) + b"/" + name, "w"):  # noqa: PTH123  bytes
        pass

    found = told(layer)

    assert ("/pipe", "added") in found
    assert ("/" + os.fsdecode(name), "added") in found


def test_a_tree_that_has_no_end_is_told_and_not_walked_for_ever(layer: Layer) -> None:
    here = os.open(layer.upper, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)

    found = altered([layer], deepest=20)

    assert len(found) == 22
    assert found[-1]["details"] == ["lies 20 folders deep: not looked into"]


def test_an_enormous_sparse_file_is_not_read(layer: Layer) -> None:
    os.truncate(upper(layer, "huge", ""), 1 << 40)

    [finding] = altered([layer])

    assert isinstance(finding["new"], dict)
    assert finding["new"]["content"] == "too large to be read"


def test_findings_of_a_layer_carry_the_path_that_it_is_mounted_at(layer: Layer) -> None:
    upper(layer, "motd", "x")

    assert [finding["path"] for finding in altered([Layer("/etc", layer.upper, layer.lowers)])] == ["/etc/motd"]
