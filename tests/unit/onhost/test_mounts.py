from __future__ import annotations

from pathlib import Path

from vitrify.onhost.mounts import Mount, entries, mounts

HOST = {"bin": "usr/bin", "etc": "directory", "opt": "directory", "usr": "directory", "home": "directory", "root": "directory"}


def test_a_full_image_needs_nothing_of_the_host() -> None:
    assert mounts("/i/root", "rootfs", HOST, {"etc": "directory"}) == (
        Mount("/", ("/i/root",), "overlay"),
        Mount("/proc", (), "proc"),
        Mount("/dev", (), "dev"),
    )


def test_on_the_base_host_the_image_lies_over_the_system_and_homes_stay_out() -> None:
    assert mounts("/i/root", "host", HOST, {"etc": "directory", "srv": "directory"})[1:-2] == (
        Mount("/bin", (), "symlink", "usr/bin"),
        Mount("/etc", ("/i/root/etc", "/etc"), "overlay"),
        Mount("/opt", (), "bind", "/opt"),
        Mount("/usr", (), "bind", "/usr"),
    )


def test_what_the_image_removed_or_replaced_of_the_host_stays_hidden() -> None:
    plan = mounts("/i/root", "host", HOST, {"opt": "file", "bin": "directory", "usr": "srv/usr"})

    assert [mount.at for mount in plan] == ["/", "/etc", "/proc", "/dev"]


def test_entries_tell_folders_links_and_the_rest(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "init").touch()

    assert entries(str(tmp_path)) == {"etc": "directory", "bin": "usr/bin", "init": "file"}
