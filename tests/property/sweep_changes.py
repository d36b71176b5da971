"""One change after another to a folder that an overlay shows: what a sweep finds of each, what AIDE finds, and what the overlay says.

Runs as a program in a mount namespace of its own, so that nothing of it stays: `sweep_changes.py FOLDER SEED COUNT SAMPLE`.
FOLDER gets `lower`, `upper`, `work` and `merged`; the upper layer holds just what a change touched, whoever looks for it.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from vitrify.onhost.fingerprint import Print
from vitrify.onhost.records import Tree, differing
from vitrify.onhost.root import folder_system
from vitrify.onhost.sweep import Sweep
from vitrify.onhost.walk import Manner

AIDE = """\
database_in=file:{place}/aide.db
database_out=file:{place}/aide.db
gzip_dbout=no
report_url=stdout
report_level=list_entries
{tree} ftype+p+u+g+s+n+m+l+sha256+acl+xattrs+caps+e2fsattrs
"""
_ENTRY = re.compile(r"^[a-zA-Z?][^:/]*: (/.*)$", re.MULTILINE)
_OCTAL = re.compile(r"\\([0-7]{3})")
LATER = 1 << 62
ACCESS = "system.posix_acl_access"


def acl(uid: int) -> bytes:
    """A list that lets one more user read: version 2, then tag, rights and id of each of its lines."""
    lines = ((1, 6, 2**32 - 1), (2, 4, uid), (4, 4, 2**32 - 1), (16, 4, 2**32 - 1), (32, 4, 2**32 - 1))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in lines)


def make(lower: Path, chance: random.Random) -> None:
    """A small system: files of all rights and sizes, folders, links of both sorts, and what is none of these."""
    for number in range(60):
        folder = lower / f"folder{number % 12}" / ("deep" * (number % 3))
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"file{number}"
        file.write_bytes(chance.randbytes(chance.choice((0, 1, 100, 5000, 70_000))))
        file.chmod(chance.choice((0o644, 0o600, 0o755, 0o4755, 0o640)))
        os.chown(file, chance.choice((0, 1, 33)), chance.choice((0, 1, 33)))
    for number in range(8):
        (lower / f"folder{number}/link").symlink_to(chance.choice(("file1", "/etc/passwd", "nowhere", "..")))
        os.mkfifo(lower / f"folder{number}/pipe")
        os.mknod(lower / f"folder{number}/device", stat.S_IFCHR | 0o600, os.makedev(1, 3 + number))
    os.link(lower / "folder0/file0", lower / "folder1/other-name")
    os.setxattr(lower / "folder0/file0", "user.colour", b"red")
    os.setxattr(lower / "folder2/deepdeep/file2", ACCESS, acl(33))


@dataclass
class Changes:
    """All that can be done to one path; each returns the paths that are another thing after it, where the overlay cannot say."""

    merged: Path
    chance: random.Random

    def some(self, *wanted: str) -> Path:
        """An entry of these sorts."""
        tests: dict[str, Callable[[Path], bool]] = {
            "file": lambda path: path.is_file() and not path.is_symlink(),
            "folder": lambda path: path.is_dir() and not path.is_symlink(),
            "link": Path.is_symlink,
            "other": lambda path: path.is_fifo() or path.is_char_device(),
        }
        found = [path for path in sorted(self.merged.rglob("*")) if any(tests[sort](path) for sort in wanted)]
        return self.chance.choice(found)

    def content(self) -> None:
        path = self.some("file")
        path.write_bytes(self.chance.randbytes(self.chance.choice((1, 300, 9000))))

    def same_size_and_times(self) -> None:
        path = self.chance.choice([path for path in sorted(self.merged.rglob("file*")) if path.stat().st_size])
        status, content = path.stat(), path.read_bytes()
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def longer(self) -> None:
        with self.some("file").open("ab") as file:
            file.write(b"more")

    def shorter(self) -> None:
        path = self.chance.choice([path for path in sorted(self.merged.rglob("file*")) if path.stat().st_size])
        os.truncate(path, path.stat().st_size // 2)

    def holes(self) -> None:
        path = self.some("file")
        os.truncate(path, path.stat().st_size + 3_000_000)

    def mode(self) -> None:
        path = self.some("file", "folder")
        path.chmod(stat.S_IMODE(path.stat().st_mode) ^ self.chance.choice((0o1, 0o2, 0o20, 0o2000, 0o4000, 0o100)))

    def owner(self) -> None:
        os.chown(self.some("file", "folder", "link", "other"), 4242, -1, follow_symlinks=False)

    def group(self) -> None:
        os.chown(self.some("file", "folder", "link", "other"), -1, 4242, follow_symlinks=False)

    def time(self) -> None:
        os.utime(self.some("file", "folder", "link"), (1, self.chance.randrange(10**9)), follow_symlinks=False)

    def name(self) -> None:
        path = self.some("file", "link", "other")
        path.rename(path.with_name("renamed" + self.chance.choice(("", "\n", "\udcff", "\x1b[31m", " "))))

    def another_in_its_place(self) -> None:
        path = self.some("file")
        new = path.with_name("new")
        shutil.copy2(path, new)
        new.write_bytes(b"!" + new.read_bytes())
        new.replace(path)

    def gone(self) -> None:
        self.some("file", "link", "other").unlink()

    def folder_gone(self) -> None:
        shutil.rmtree(self.some("folder"))

    def new(self) -> None:
        place = self.some("folder") / ("x" * self.chance.choice((1, 200, 251)))
        making: tuple[Callable[[], object], ...] = (
            lambda: place.write_bytes(b"new"),
            place.mkdir,
            lambda: place.symlink_to("x"),
            lambda: os.mkfifo(place),
            lambda: os.mknod(place, stat.S_IFBLK | 0o600, os.makedev(7, 1)),
            lambda: listen(place),
            lambda: os.link(self.some("file"), place),
        )
        self.chance.choice(making)()

    def target(self) -> None:
        path = self.some("link")
        path.unlink()
        path.symlink_to("elsewhere")

    def sort(self) -> None:
        path = self.some("file")
        path.unlink()
        self.chance.choice((path.mkdir, lambda: path.symlink_to("x"), lambda: os.mkfifo(path)))()

    def device(self) -> None:
        path = self.chance.choice(sorted(self.merged.rglob("device")))
        path.unlink()
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(5, 1))

    def attribute(self) -> None:
        os.setxattr(self.some("file", "folder"), f"{self.chance.choice(('user', 'trusted'))}.mark", self.chance.randbytes(5))

    def access(self) -> None:
        os.setxattr(self.some("file", "folder"), ACCESS, acl(self.chance.randrange(100, 200)))

    def capability(self) -> None:
        os.setxattr(self.some("file"), "security.capability", struct.pack("<5I", 0x02000001, 1 << self.chance.randrange(30), 0, 0, 0))

    def flag(self) -> None:
        subprocess.run(["chattr", f"+{self.chance.choice('iadA')}", self.some("file")], check=True)

    def opened_and_left(self) -> None:
        with self.some("file").open("r+b"):
            return


def listen(place: Path) -> None:
    """Leave a socket at this path."""
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fchdir(folder)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("s")
        Path("s").rename(place.name)
    finally:
        os.close(folder)
        os.chdir("/")


HARMLESS = "opened_and_left"
KINDS = [name for name in vars(Changes) if callable(getattr(Changes, name)) and not name.startswith("_") and name != "some"]


def touched(upper: Path) -> Iterator[tuple[str, bool]]:
    """Every path of the upper layer, and whether nothing in it lies below: what was done was done to that."""
    for path in upper.rglob("*"):
        yield str(path.relative_to(upper)), path.is_symlink() or not path.is_dir() or not any(path.iterdir())


class Overlay:
    """The tree, mounted anew for each change."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.lower, self.upper, self.merged = (place / name for name in ("lower", "upper", "merged"))
        for folder in (self.lower, self.merged):
            folder.mkdir()

    def __enter__(self) -> Self:
        for name in ("upper", "work"):
            (self._place / name).mkdir()
        os.utime(self.upper, (1_600_000_000, 1_600_000_000))  # what the overlay shows of its top is the upper layer's
        layers = f"lowerdir={self.lower},upperdir={self.upper},workdir={self._place / 'work'}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.merged], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", self.merged], check=True)
        subprocess.run(["chattr", "-R", "-f", "-i", "-a", self.upper], check=False, stderr=subprocess.DEVNULL)
        for name in ("upper", "work"):
            shutil.rmtree(self._place / name)


def sweep(merged: Path, known: Tree, manner: Manner) -> Tree:
    """What is there now."""
    system = folder_system(str(merged), sidecar=None, bwrap="", blob=lambda _: b"", key=b"key")
    return Sweep(system, key=b"key", now_ns=LATER).over(("/",), known=known, manner=manner).tree


def aide(place: Path, command: str) -> set[str]:
    """The paths that AIDE names, relative to the tree."""
    done = subprocess.run(["aide", "-c", place / "aide.conf", command], check=False, capture_output=True)
    if done.returncode & ~7:
        raise SystemExit(f"aide {command} failed with {done.returncode}: {done.stdout.decode()} {done.stderr.decode()}")
    told = _ENTRY.findall(done.stdout.decode("utf-8", "surrogateescape"))
    spelt = (_OCTAL.sub(lambda found: chr(int(found[1], 8)), path).encode("latin-1", "surrogateescape") for path in told)
    return {os.path.relpath(os.fsdecode(path), place / "merged") for path in spelt}


def unlike(kind: str, upper: Path, found: dict[str, tuple[Print | None, Print | None]]) -> list[str]:
    """What the overlay says and the sweep does not, and the other way round."""
    names = {path.lstrip("/") or "." for path in found}
    layer = dict(touched(upper))
    if kind == HARMLESS:  # but a folder around it, of which the overlay counts the links otherwise once it has one of its own
        return [path for path, (old, new) in found.items() if not (old and new and new._replace(nlink=old.nlink) == old)]
    missing = [path for path, innermost in layer.items() if innermost and path not in names]
    within = [path for path in names if path not in layer and not any(path.startswith(f"{one}/") for one, last in layer.items() if last)]
    shared = {path for path in within if path in ("folder0/file0", "folder1/other-name", ".")}
    return missing + sorted(set(within) - shared)


def main(place: Path, seed: int, count: int, sample: int) -> dict[str, object]:
    """Make the changes; what was unlike, and how many AIDE was asked about and found."""
    chance = random.Random(seed)  # noqa: S311  a repeatable choice, no secret
    overlay = Overlay(place)
    make(overlay.lower, chance)
    (place / "aide.conf").write_text(AIDE.format(place=place, tree=overlay.merged), encoding="utf-8")
    with overlay:
        aide(place, "--init")
    wrong: list[str] = []
    done: dict[str, int] = {}
    asked = 0
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        with overlay:
            known = sweep(overlay.merged, {}, Manner())
            getattr(Changes(overlay.merged, chance), kind)()
            found = differing(known, sweep(overlay.merged, known, Manner()))
            whole = differing(known, sweep(overlay.merged, known, Manner(whole=True)))
            unseen = unlike(kind, overlay.upper, found)
            if whole.keys() != found.keys():
                unseen.append("read whole, it is another one")
            if number % (count // sample) == 0 and sample:
                asked += 1
                unseen += [f"AIDE: {path}" for path in aide(place, "--check") - {path.lstrip("/") or "." for path in found}]
        done[kind] = done.get(kind, 0) + 1
        wrong += [f"{number} {kind}: {path!r}" for path in unseen]
    return {"changes": done, "asked": asked, "wrong": wrong}


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1]), *map(int, sys.argv[2:5])), sys.stdout)
