"""Writes a bootable disk from an image: the image's own kernel and systemd, started by systemd-boot, on a partition table of its own.

Every file system is written by its own tool into a file (mtools, mke2fs) and put in place by systemd-repart: nothing is mounted. Equal
images give disks with equal files and names; when an inode was changed is told by ext4 itself, and differs.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from vitrify.core.diagnostic import TargetFailed, UsageInvalid
from vitrify.core.event import Emit, Event, Stage, silence
from vitrify.onhost.removal import remove_tree
from vitrify.onhost.unpack import ATTRIBUTES, Unpacked, unpack

RAW: Final = "raw"
QCOW2: Final = "qcow2"
FORMATS: Final = (RAW, QCOW2)

_PACKAGES: Final = {
    "systemd-repart": "systemd",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "mke2fs": "e2fsprogs",
    "qemu-img": "qemu-utils",
}
_LOADERS: Final = {"x86_64": "x64", "aarch64": "aa64"}
_NAMESPACE: Final = uuid.UUID("0a2a7d9c-54c8-5d53-8f0e-2f8f6a3f3c55")
_WHEN: Final = 315532800
"""1 January 1980: the first second that FAT knows."""
_MIB: Final = 1 << 20
_EVERYBODYS: Final = {"/tmp": "1777", "/var/tmp": "1777"}  # noqa: S108  of the machine that boots from the disk


@dataclass(frozen=True)
class Wish:
    """What the disk is to be: `writable` folders are empty at each start and in memory, everything else is read-only."""

    image: str
    format: str = RAW
    writable: tuple[str, ...] = ()


def write(layout: str, wish: Wish, into: Path, *, emit: Emit = silence) -> int:
    """Write the disk of an image in this OCI layout to a file, whole or not at all; how many bytes it has.

    UsageInvalid where the image holds no kernel, no systemd or no boot loader, or this machine lacks a tool, each with what to add.
    """
    _refuse_missing_tools(wish.format)
    emit(Event("disk", Stage.STARTED, into.name))
    with tempfile.TemporaryDirectory(prefix=".vitrify-disk-", dir=into.absolute().parent) as work:
        disk = _Disk(wish, Path(work), unpack(layout, wish.image, f"{work}/image"))
        try:
            made = disk.made()
        finally:
            remove_tree(f"{work}/image")
        made.replace(into)
    size = into.stat().st_size
    emit(Event("disk", Stage.DONE, into.name, data={"bytes": size}))
    return size


def _refuse_missing_tools(form: str) -> None:
    needed = [name for name in _PACKAGES if name != "qemu-img" or form == QCOW2]
    missing = [name for name in needed if shutil.which(name, path=_path()) is None]
    if missing:
        packages = ", ".join(sorted({_PACKAGES[name] for name in missing}))
        raise UsageInvalid(
            f"a disk is written by {', '.join(missing)}, and this machine has not", hint=f"install the Debian packages {packages}"
        )


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass(frozen=True)
class _Disk:
    """One disk being written, in a folder of its own."""

    wish: Wish
    work: Path
    image: Unpacked

    @property
    def _root(self) -> Path:
        return Path(self.image.root)

    def made(self) -> Path:
        """The finished file."""
        self._refuse_unfit()
        self._settle_root()
        parts = (self._boot(), self._files())
        return self._assembled(parts)

    def _refuse_unfit(self) -> None:
        if self.image.base == "host":
            raise UsageInvalid(
                "an image on `base: host` is no whole system", hint="pack one: `base: debootstrap:bookworm` or `base: rootfs:DIR`"
            )
        if Path(self.image.folder, ATTRIBUTES).exists():
            raise UsageInvalid("the owners of files can be written by root alone", hint="run it as root")
        lacking = [words for words, found in self._needs.items() if not found]
        if lacking:
            hint = "add to its resources, as in `- package: [systemd-sysv, linux-image-cloud-amd64, initramfs-tools, systemd-boot]`"
            raise UsageInvalid(f"the image cannot boot: it has no {', no '.join(lacking)}", hint=hint)

    @cached_property
    def _needs(self) -> Mapping[str, Sequence[Path]]:
        loader = f"usr/lib/systemd/boot/efi/systemd-boot{_LOADERS.get(platform.machine(), '')}.efi"
        return {
            "systemd": [path for path in (self._root / "lib/systemd/systemd", self._root / "usr/lib/systemd/systemd") if path.exists()],
            "kernel": sorted(self._root.glob("boot/vmlinuz-*")),
            "initial RAM disk": sorted(self._root.glob("boot/initrd.img-*")),
            "boot loader (systemd-boot)": [path for path in (self._root / loader,) if path.is_file()],
        }

    def _id(self, what: str) -> str:
        """A UUID that follows from the image, so that what names a partition does not change between two disks of one image."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.wish.image}/{what}"))

    def _settle_root(self) -> None:
        """What makes a tree the root of a machine: no identity yet, read-only, and room in memory where it may write."""
        etc = self._root / "etc"
        (etc / "machine-id").write_bytes(b"")
        places = {**dict.fromkeys(self.wish.writable, "0755"), **_EVERYBODYS}
        rows = [f"PARTUUID={self._id('root partition')} / ext4 ro 0 1"]
        rows += [f"tmpfs {place} tmpfs mode={mode},nosuid,nodev 0 0" for place, mode in places.items()]
        (etc / "fstab").write_text("".join(f"{row}\n" for row in rows))
        for place in places:
            (self._root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for changed in (etc / "machine-id", etc / "fstab", etc):
            os.utime(changed, (0, 0))

    def _boot(self) -> Path:
        """The partition that the firmware reads: boot loader, kernel, initial RAM disk, and one entry."""
        needs, tree = self._needs, self.work / "boot"
        name = f"BOOT{_LOADERS[platform.machine()].upper()}.EFI"
        options = f"root=PARTUUID={self._id('root partition')} ro console=tty0 console=ttyS0"
        entry = f"title vitrify\nlinux /linux\ninitrd /initrd\noptions {options}\n"
        contents = {
            f"EFI/BOOT/{name}": needs["boot loader (systemd-boot)"][0].read_bytes(),
            "linux": needs["kernel"][-1].read_bytes(),
            "initrd": needs["initial RAM disk"][-1].read_bytes(),
            "loader/loader.conf": b"timeout 0\n",
            "loader/entries/vitrify.conf": entry.encode(),
        }
        for path, content in contents.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(content)
        made = self.work / "boot.img"
        _sized(made, sum(path.stat().st_size for path in tree.rglob("*")) + 32 * _MIB)
        for file in tree.rglob("*"):
            os.utime(file, (_WHEN, _WHEN))
        serial = uuid.UUID(self._id("boot")).hex[:8]
        _run("mkfs.vfat", "--invariant", "-i", serial, "-n", "BOOT", made)
        _run("mcopy", "-s", "-m", "-i", made, *sorted(tree.iterdir()), "::/")
        return made

    def _files(self) -> Path:
        """The root's own file system."""
        made, count, size = self.work / "root.img", 0, 0
        for folder, folders, files in os.walk(self._root):
            count += len(folders) + len(files)
            size += sum((os.lstat(f"{folder}/{name}").st_size + 8191) // 4096 * 4096 for name in (*folders, *files))
        _sized(made, size * 5 // 4 + 64 * _MIB)
        words = [
            "-t",
            "ext4",
            "-L",
            "root",
            "-U",
            self._id("root"),
            "-E",
            f"hash_seed={self._id('hash')}",
            "-m",
            "0",
            "-N",
            str(count + 4096),
        ]
        _run("mke2fs", "-q", *words, "-d", self._root, made)
        return made

    def _assembled(self, parts: Sequence[Path]) -> Path:
        definitions, made = self.work / "repart.d", self.work / "disk.raw"
        definitions.mkdir()
        for number, (part, kind) in enumerate(zip(parts, ("esp", "root"), strict=True)):
            text = f"[Partition]\nType={kind}\nLabel={kind}\nUUID={self._id(f'{kind} partition')}\nCopyBlocks={part}\n"
            size = part.stat().st_size
            (definitions / f"{number}0-{kind}.conf").write_text(f"{text}SizeMinBytes={size}\nSizeMaxBytes={size}\n")
        seed = f"--seed={self._id('seed')}"
        _run("systemd-repart", "--empty=create", "--size=auto", seed, f"--definitions={definitions}", "--dry-run=no", "--no-pager", made)
        if self.wish.format == RAW:
            return made
        packed = self.work / "disk.qcow2"
        _run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", made, packed)
        return packed


def _sized(path: Path, size: int) -> None:
    """An empty file of at least this size, in whole mebibytes."""
    with path.open("xb") as file:
        file.truncate(-(-size // _MIB) * _MIB)


def _run(*words: str | Path) -> None:
    """Run a tool that is quiet where all is well."""
    known = {
        "PATH": _path(),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(_WHEN),
        "E2FSPROGS_FAKE_TIME": "1",
        "MTOOLS_SKIP_CHECK": "1",
    }
    done = subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, env=known, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
        raise TargetFailed(f"{words[0]} could not write the disk", why="; ".join(said[-3:]))
