"""A disk that was baked boots to its process, and what cannot boot is refused with what to add."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from vitrify.project.binaries import find_caddy
from vitrify.testing.this_machine import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "mke2fs": "e2fsprogs",
}
FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE.fd")
PACKAGES = ("initramfs-tools", "linux-image-cloud-amd64", "systemd-boot", "systemd-sysv", "udev")
PATIENCE = 300.0
"""Seconds until a machine must answer that is emulated, on a machine that does other things too."""

UNFIT = """\
version: 1
project: disk
servers:
  web:
    lifecycle: immutable
    hosts: [local]
    base: rootfs:{root}
    writable: [/var/lib/app]
    resources:
      - process: {{name: web, command: [/usr/bin/caddy, respond, --listen, ":8000", --body, booted], port: 8000, env: {{HOME: /tmp}}}}
"""
DECLARED = (
    UNFIT
    + """\
      - file: {{path: /usr/bin/caddy, source: caddy, mode: "0755"}}
      - service: {{name: systemd-networkd, enabled: true}}
      - file: {{path: /etc/systemd/network/80-dhcp.network, content: "[Match]\\nType=ether\\n[Network]\\nDHCP=yes\\n"}}
"""
)


def tree() -> Path:
    """The files of a small Debian with a kernel, made the first time and kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vitrify-tests"
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / "-".join(("debian-bookworm", *PACKAGES))
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            part = place.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            lean = "--aptopt=APT::Install-Recommends false"
            command = ["mmdebstrap", "--quiet", "--variant=minbase", lean, f"--include={','.join(PACKAGES)}", "bookworm", str(part)]
            subprocess.run(command, check=True, capture_output=True)
            part.rename(place)
    return place


def vitrify(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line, in a project."""
    environment = {**os.environ, "VITRIFY_HOME": str(folder / "home"), "VITRIFY_YES": "1"}
    command = [sys.executable, "-m", "vitrify", "-C", str(folder), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server whose image can boot."""
    missing = {package for program, package in PROGRAMS.items() if not shutil.which(program)}
    missing |= set() if FIRMWARE.exists() else {"ovmf"}
    if missing or os.geteuid() != 0:
        pytest.skip(f"a disk needs root and the Debian packages {', '.join(sorted(missing))}")
    folder = tmp_path_factory.mktemp("disk")
    shutil.copy(find_caddy(), folder / "caddy")
    (folder / "vitrify.yaml").write_text(DECLARED.format(root=tree()))
    return folder


@contextmanager
def booted(disk: Path, console: Path) -> Iterator[int]:
    """A machine that starts from this disk; the port of this machine that leads to its 8000."""
    port = free_port()
    # Emulated: whether the processor's own virtualisation may be used differs from machine to machine.
    machine = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "512", "-smp", "2", "-nographic", "-no-reboot"]
    firmware = ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}", "-drive", f"file={disk},format=qcow2,if=virtio,snapshot=on"]
    network = ["-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:8000", "-device", "virtio-net-pci,netdev=net"]
    with console.open("wb") as written:
        running = subprocess.Popen([*machine, *firmware, *network], stdin=subprocess.DEVNULL, stdout=written, stderr=written)
    try:
        yield port
    finally:
        running.kill()
        running.wait()


def test_a_disk_boots_to_its_process(project: Path, tmp_path: Path) -> None:
    disk = tmp_path / "web.qcow2"
    made = vitrify(project, "bake", "web", "--as", "qcow2", "--out", str(disk))
    assert made.returncode == 0, made.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["web.qcow2"], "nothing else is left behind"

    with booted(disk, tmp_path / "console") as port:
        until, said = time.monotonic() + PATIENCE, b""
        while said != b"booted" and time.monotonic() < until:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                said = answer.read()
            time.sleep(0.5)
    assert said == b"booted", (tmp_path / "console").read_text(errors="replace")[-2000:]


def test_an_image_that_cannot_boot_is_refused_with_what_to_add(tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("mcopy"):
        pytest.skip("a disk needs root and the Debian packages dosfstools, mtools")
    (tmp_path / "root" / "etc").mkdir(parents=True)
    (tmp_path / "vitrify.yaml").write_text(UNFIT.format(root=tmp_path / "root"))

    refused = vitrify(tmp_path, "bake", "web", "--as", "raw", "--out", str(tmp_path / "web.raw"))

    assert refused.returncode == 64
    assert "no systemd, no kernel, no initial RAM disk, no boot loader" in refused.stderr
    assert "linux-image-cloud-amd64" in refused.stderr
    assert not (tmp_path / "web.raw").exists()
