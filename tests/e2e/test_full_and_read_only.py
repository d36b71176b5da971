"""The control machine's own disk is full or read-only: told in words with what to do, nothing served is lost, and it goes on afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from disks import Disks
from shop import Shop

pytestmark = [pytest.mark.e2e, pytest.mark.root]

BuildShop = Callable[..., Shop]


@pytest.fixture
def shop(build_shop: BuildShop, disks: Disks) -> Iterator[Shop]:
    """A project whose state has a small disk to itself. It ends before its disk does, and is writable by then."""
    shop = build_shop()
    shop.home.mkdir(exist_ok=True)
    disks.mount("-t", "tmpfs", "-o", "size=24m,mode=700", "none", shop.home)
    shop.within = (*disks.within, str(shop.folder))
    yield shop
    shop.clear()
    assert not shop.running_in(disks.seen(shop.home))


def fill(folder: Path) -> Path:
    """A file that takes all the space that is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return filler


def test_on_a_full_disk_a_release_fails_in_words_and_the_old_one_serves_on(shop: Shop, disks: Disks) -> None:
    shop.run("apply")
    filler = fill(disks.seen(shop.home))
    shop.declare(greeting="two")

    failed = shop.run("apply", expect=None)

    assert failed.returncode == 1, failed.stderr
    assert "hint: its filesystem is full: free space on it, then run the same command again" in failed.stderr
    assert "Traceback" not in failed.stdout + failed.stderr
    assert shop.get() == (200, "one")
    filler.unlink()
    shop.run("apply")
    assert shop.get() == (200, "two")
    assert shop.run("ledger", "verify").returncode == 0


def test_on_a_read_only_disk_nothing_is_begun_and_it_goes_on_once_it_can_be_written(shop: Shop, disks: Disks) -> None:
    shop.run("apply")
    disks.mount("--bind", shop.home, shop.home)
    disks.mount("-o", "remount,ro,bind", shop.home)
    shop.declare(greeting="two")

    failed = shop.run("apply", expect=None)

    assert failed.returncode == 1, failed.stderr
    assert "read-only" in failed.stderr.lower()
    assert "Traceback" not in failed.stdout + failed.stderr
    assert shop.get() == (200, "one")
    disks.mount("-o", "remount,rw,bind", shop.home)
    shop.run("apply")
    assert shop.get() == (200, "two")


def test_a_project_in_a_read_only_folder_is_told_before_anything_is_begun(shop: Shop, disks: Disks) -> None:
    disks.mount("--bind", shop.folder, shop.folder)
    disks.mount("-o", "remount,ro,bind", shop.folder)

    failed = shop.run("apply", expect=None)

    assert failed.returncode == 64, failed.stderr
    assert "Read-only file system" in failed.stderr
    assert f"{shop.folder}/vitrify.keys" in failed.stderr
    assert "hint:" in failed.stderr
    assert "Traceback" not in failed.stderr
