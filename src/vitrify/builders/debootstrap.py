"""Makes the base `debootstrap:SUITE`: chooses what it consists of, and builds its root from exactly those package files."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from vitrify.builders.hostapt import MINIMAL, HostApt
from vitrify.builders.sources import sources_for
from vitrify.builders.supplies import Supplies
from vitrify.core.declaration import Mirror
from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, TargetFailed
from vitrify.core.locked import Deb, Inputs
from vitrify.core.simulation import Step, for_security, origins
from vitrify.onhost.debfile import control, entry
from vitrify.ports import Chosen
from vitrify.project.subordinate import Ids

_LONGEST: Final = 3600.0
_OF_THIS_MACHINE: Final = ("etc/resolv.conf", "etc/hostname", "etc/apt/sources.list")
"""What the program that makes the root takes over from this machine, or from where the packages lay."""


def choose(suite: str, mirror: Mirror | None, supplies: Supplies, work: Path, *, architecture: str) -> Chosen:
    """The packages of a minimal system as they are offered now, fetched and kept."""
    apt = HostApt(work / "apt", sources_for(suite, mirror), architecture)
    apt.renew()
    steps = apt.would_install(*MINIMAL)
    apt.fetch([f"{step.effect.name}={step.effect.new}" for step in steps])
    debs = _taken(apt.debs, supplies)
    return Chosen(Inputs.of("", debs), frozenset(_secure(steps)))


def have(inputs: Inputs, suite: str, mirror: Mirror | None, supplies: Supplies, work: Path, *, architecture: str) -> None:  # noqa: PLR0913  as `choose`
    """Fetch what is pinned and not here; what cannot be had any more stays lacking."""
    lacking = [deb for deb in supplies.lacking(inputs) if isinstance(deb, Deb)]
    if not lacking:
        return
    apt = HostApt(work / "apt", sources_for(suite, mirror), architecture)
    apt.renew()
    for deb in lacking:
        with suppress(TargetFailed):  # the next one may still be there
            apt.fetch([f"{deb.name}={deb.version}"])
    wanted = {deb.sha256 for deb in lacking}
    _taken(apt.debs, supplies, only=wanted)


def _secure(steps: Sequence[Step]) -> list[tuple[str, str]]:
    return [(step.effect.name, step.effect.new) for step in steps if any(for_security(one) for one in origins(step.origin))]


def _taken(folder: Path, supplies: Supplies, *, only: set[str] | None = None) -> tuple[Deb, ...]:
    found = []
    for path in sorted(folder.glob("*.deb")):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if only is not None and digest not in only:
            continue
        name, version, rest = path.name.split("_")
        supplies.take(path, sha256=digest)
        found.append(Deb(name, version.replace("%3a", ":"), rest.removesuffix(".deb"), digest, path.stat().st_size))
    return tuple(found)


def build(inputs: Inputs, supplies: Supplies, making: Path, *, ids: Ids) -> None:
    """Make `making/root` out of these files alone; nobody else is asked for anything. Whoever is not root needs `ids`."""
    _refuse_unable(ids)
    repository = making / "repository"
    repository.mkdir()
    stanzas = [_placed(deb, supplies, repository) for deb in inputs.debs]
    (repository / "Packages").write_text("\n".join(stanzas), encoding="utf-8")
    _run(making, repository, [deb.name for deb in inputs.debs], ids)
    root = making / "root"
    for name in _OF_THIS_MACHINE:
        (root / name).unlink(missing_ok=True)


def _refuse_unable(ids: Ids) -> None:
    """DeclarationInvalid, with what to add, where no root of packages can be made on this machine, or by whoever asks."""
    why, hint = "", ""
    if not shutil.which("mmdebstrap"):
        why, hint = "there is no mmdebstrap on this machine", "install it: `apt install mmdebstrap`"
    elif os.geteuid() != 0 and not ids.granted:
        why = "; ".join(filter(None, ("its files belong to several users, and only root can give files to others", ids.why)))
        by_hand = "run the same command as root (`sudo vitrify …`), or bake upon a root that is here already: `base: rootfs:DIR`"
        hint = "; or ".join(filter(None, (ids.hint, by_hand)))
    if why:
        raise DeclarationInvalid([Diagnostic("a base of Debian packages cannot be made here", why=why, hint=hint)])


def _placed(deb: Deb, supplies: Supplies, repository: Path) -> str:
    """One file, where apt finds it, and what the index says of it."""
    source, path = supplies.files / deb.sha256, repository / deb.file
    try:
        path.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, path)
    with path.open("rb") as file:
        told = control(file, name=deb.file)
    if not told:  # packed with zstd, which older Pythons cannot read
        told = subprocess.run(["dpkg-deb", "--field", str(path)], check=True, capture_output=True, text=True, timeout=60).stdout
    return entry(told, file=deb.file, size=deb.size, sha256=deb.sha256)


def _run(making: Path, repository: Path, names: Sequence[str], ids: Ids) -> None:
    program = shutil.which("mmdebstrap") or "mmdebstrap"
    command = [*ids.argv, program, "--quiet", "--mode=root", "--variant=apt", "--format=directory", f"--include={','.join(names)}"]
    command += ["--skip=check/qemu,check/signed-by", "", str(making / "root"), "-"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC", "TMPDIR": str(making)}
    source = f"deb [trusted=yes] copy:{quote(str(repository))} ./\n"
    try:
        done = subprocess.run(
            command, input=source, capture_output=True, text=True, check=False, timeout=_LONGEST, env=environment, umask=0o022
        )
    except subprocess.TimeoutExpired as error:
        raise TargetFailed(f"mmdebstrap did not end within {_LONGEST:g} seconds") from error
    if done.returncode != 0:
        raise TargetFailed(f"mmdebstrap ended with {done.returncode}", why="; ".join(done.stderr.strip().splitlines()[-5:]))
