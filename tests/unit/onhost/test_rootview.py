from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.onhost.mounts import Mount
from vitrify.onhost.rootview import RootView


@pytest.fixture
def view(tmp_path: Path) -> RootView:
    image, host = tmp_path / "image", tmp_path / "host"
    for folder in (image / "etc", image / "var/lib", host / "etc/deep", host / "usr/lib"):
        folder.mkdir(parents=True)
    (host / "etc/passwd").write_text("host")
    (image / "etc/passwd").write_text("image")
    return RootView(
        (
            Mount("/", (str(image),), "overlay"),
            Mount("/etc", (str(image / "etc"), str(host / "etc")), "overlay"),
            Mount("/usr", (), "bind", str(host / "usr")),
            Mount("/lib", (), "symlink", "usr/lib"),
            Mount("/proc", (), "proc"),
        )
    )


def test_the_topmost_layer_shows_and_others_show_through(view: RootView, tmp_path: Path) -> None:
    assert view.find("/etc/passwd")[0] == str(tmp_path / "image/etc/passwd")
    assert view.find("/etc/deep") == (str(tmp_path / "host/etc/deep"), (str(tmp_path / "host/etc/deep"),))
    assert view.find("/etc/none") == (None, ())


def test_folders_of_all_layers_merge(view: RootView, tmp_path: Path) -> None:
    (tmp_path / "image/etc/deep").mkdir()

    assert view.find("/etc/deep")[1] == (str(tmp_path / "image/etc/deep"), str(tmp_path / "host/etc/deep"))


def test_a_whiteout_hides_what_lies_beneath(view: RootView, tmp_path: Path) -> None:
    os.mknod(tmp_path / "image/etc/deep", stat.S_IFCHR | 0o600, os.makedev(0, 0))

    assert view.find("/etc/deep") == (None, ())


def test_an_opaque_folder_hides_the_folders_beneath(view: RootView, tmp_path: Path) -> None:
    (tmp_path / "image/etc/deep").mkdir()
    (tmp_path / "host/etc/deep/inner").write_text("")
    os.setxattr(tmp_path / "image/etc/deep", "user.overlay.opaque", b"y")

    assert view.find("/etc/deep/inner") == (None, ())


@pytest.mark.parametrize(
    ("link", "path", "resolved"),
    [
        ("lib", "/var/link/x", "/var/lib/x"),
        ("/etc", "/var/link/deep", "/etc/deep"),
        ("../../../../../etc", "/var/link/deep", "/etc/deep"),
        ("/../../..", "/var/link/etc/deep", "/etc/deep"),
    ],
)
def test_links_are_resolved_within_the_root(view: RootView, tmp_path: Path, link: str, path: str, resolved: str) -> None:
    (tmp_path / "image/var/link").symlink_to(link)

    assert view.resolve(path) == resolved


def test_links_that_stand_for_folders_of_the_host_are_followed(view: RootView) -> None:
    assert view.resolve("/lib/python3") == "/usr/lib/python3"


def test_what_does_not_exist_stays_as_it_is(view: RootView) -> None:
    assert view.resolve("/var/cache/shop") == "/var/cache/shop"


def test_a_circle_of_links_is_named(view: RootView, tmp_path: Path) -> None:
    (tmp_path / "image/var/a").symlink_to("b")
    (tmp_path / "image/var/b").symlink_to("a")

    with pytest.raises(TargetFailed, match="circle"):
        view.resolve("/var/a")
