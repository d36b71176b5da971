"""Runs dnf: simulates, acts, renews its metadata, and says in words what it could not do. Not for looking: see `rpmdb`."""

from __future__ import annotations

import re
from typing import FrozenSet, List, Optional, Sequence, Tuple

from vitrify.core import rpmdb, transaction
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.packaging import Options, refuse_without_root, run
from vitrify.core.simulation import Record
from vitrify.core.system import Attributes, Completed, System

PROGRAM = "/usr/bin/dnf"
CACHE = "/var/cache/dnf"
STAMP = f"{CACHE}/vitrify-renewed"
"""Written when all metadata was renewed: dnf itself keeps the old date where nothing new was there."""
PLUGIN = "/etc/dnf/plugins/versionlock.conf"
ENGLISH = {"LC_ALL": "C.UTF-8", "LANGUAGE": "C"}
_LOCKED = 200
"""The code that dnf ends with where somebody else holds one of its locks and it was told not to wait."""
_HOLDER = re.compile(r"already locked by (\d+)(?:\s+The application with PID \d+ is: (\S+))?")
_BUSY = re.compile(r"can't create transaction lock|transaction lock on")


def simulate(argv: Sequence[str], options: Options, system: System, *, held: bool = False) -> Completed:
    """What dnf would do with the metadata that it has, as it says itself; changes nothing."""
    return _waited(("--cacheonly", "--assumeno", *_flags(options, held=held), *argv), options.lock_timeout, system)


def simulated(argv: Sequence[str], options: Options, system: System, *, held: bool = False) -> Tuple[transaction.Step, ...]:
    """The steps of a transaction; TargetFailed where dnf refuses it."""
    done = simulate(argv, options, system, held=held)
    if refuses(done):
        raise failed(argv, done)
    return steps(done.stdout, system)


def steps(output: str, system: System) -> Tuple[transaction.Step, ...]:
    """What a simulation says, with the versions that are there now."""
    native = rpmdb.native(system)
    told = transaction.steps(output, native=native, installed={})
    changing = [step.effect.name for step in told if step.effect.action == "change"]
    if not changing:
        return told
    seen = rpmdb.look(changing, frozenset(), system)
    return transaction.steps(output, native=native, installed={name: one.version for name, one in seen.items()})


def refuses(done: Completed) -> bool:
    """Whether a simulation has no answer: it ends with 1 as well where it was told to go no further."""
    return done.code not in (0, 1) or (done.code == 1 and "Operation aborted." not in done.stdout + done.stderr)


def act(argv: Sequence[str], options: Options, system: System, *, held: bool = False) -> None:
    """Do it, with the metadata that the simulation had."""
    done = _waited(("--assumeyes", "--setopt=*.metadata_expire=-1", *_flags(options, held=held), *argv), options.lock_timeout, system)
    if done.code != 0:
        raise failed(argv, done)


def update(system: System, *, repository: str = "") -> None:
    """Renew the metadata of all repositories, or of one, which then must be there."""
    refuse_without_root(system)
    only = (f"--repo={repository}", f"--setopt={repository}.skip_if_unavailable=False") if repository else ()
    done = _waited(("--refresh", "--assumeyes", *only, "makecache"), Options().lock_timeout, system)
    if done.code != 0:
        raise failed(("makecache",), done)
    if not repository:
        system.write(STAMP, b"", attributes=Attributes(mode="0644"))


def stale(oldest: Optional[int], system: System) -> bool:
    """Whether the metadata is older than so many seconds, or is not there at all."""
    renewed = renewed_ns(system)
    if renewed == 0 or oldest is None:
        return renewed == 0
    now = run(system, ("date", "+%s")).stdout.strip()
    return not now.isdigit() or int(now) - renewed // 1_000_000_000 > oldest


def renewed_ns(system: System) -> int:
    """When metadata was last renewed, as far as files tell; 0 where it never was."""
    names = system.names(CACHE) if system.stat(CACHE) is not None else ()
    read = [name for name in names if name.endswith(".solv") and not name.startswith("@")]
    stats = [system.stat(f"{CACHE}/{name}") for name in read] + [system.stat(STAMP)] if read else []
    return max((stat.mtime_ns for stat in stats if stat is not None), default=0)


def locked(done: Completed) -> bool:
    """Whether dnf gave up because somebody else holds one of its locks."""
    return done.code == _LOCKED


def automatic(names: Sequence[str], system: System) -> FrozenSet[str]:
    """Those of the names that dnf installed because others need them, as its own history says."""
    told = _query(("--installed", "--queryformat", "%{name} %{reason}", *_bare(names)), system, quick=True)
    words = [line.split() for line in told.splitlines()]
    return frozenset(one[0] for one in words if len(one) == 2 and one[1] in ("dependency", "weak-dependency"))


def records(names: Sequence[str], system: System, *, installed: bool) -> List[Record]:
    """What the metadata say of every version of these packages, and rpm of the `installed` ones."""
    asked = _bare(names)
    if not asked:
        return []
    offered = _query(("--queryformat", transaction.FORMAT, *asked), system)
    there = _query(("--installed", "--queryformat", transaction.FORMAT, *asked), system, quick=True) if installed else ""
    return [*transaction.records(offered, to_be_had=True), *transaction.records(there, to_be_had=False)]


def asked(argv: Sequence[str], system: System) -> str:
    """What dnf prints of the metadata that it has, held packages and all; TargetFailed where it cannot."""
    done = _waited(("--quiet", "--cacheonly", "--disableplugin=versionlock", *argv), Options().lock_timeout, system)
    if done.code != 0:
        raise failed(argv, done)
    return done.stdout


def lock(name: str, system: System, *, held: bool) -> None:
    """Hold a package in the version that it has, or let it go, by the plugin `versionlock`."""
    if system.stat(PLUGIN) is None:
        raise TargetFailed(
            f"{name} cannot be held on this target",
            why="dnf holds packages by its plugin versionlock, which is not there",
            hint="declare the package python3-dnf-plugin-versionlock before it",
        )
    argv = ("versionlock", "add" if held else "delete", name.partition(":")[0])
    done = _waited(("--cacheonly", "--assumeyes", *argv), Options().lock_timeout, system)
    if done.code != 0:
        raise failed(argv, done)


def failed(argv: Sequence[str], done: Completed) -> TargetFailed:
    """The error of dnf, with what it said itself, and who holds its lock where that is why."""
    output = f"{done.stdout}\n{done.stderr}"
    holder = _HOLDER.search(output)
    if holder or done.code == _LOCKED or _BUSY.search(output):
        number, program = holder.groups() if holder else ("", "")
        named = f"{program} (process {number})" if program else f"process {number}" if number else "a process that dnf does not name"
        return TargetFailed(
            "the package manager is in use by somebody else",
            why=f"its lock is held by {named}",
            hint="wait until that has ended, and run the same command again; `lock_timeout` says how long to wait",
        )
    return TargetFailed(
        f"the package manager ended with {done.code}: dnf {' '.join(argv)}",
        why=transaction.complaint(output),
        hint="the log is in /var/log/dnf.log on the target; mend the cause and run the same command again",
    )


def _bare(names: Sequence[str]) -> List[str]:
    return sorted({name.partition(":")[0] for name in names})


def _query(argv: Sequence[str], system: System, *, quick: bool = False) -> str:
    """What `dnf repoquery` prints; `quick` where no repository need be read."""
    without = ("--disablerepo=*",) if quick else ()
    return _waited(("--quiet", "--cacheonly", *without, "repoquery", *argv), Options().lock_timeout, system).stdout


def _waited(argv: Sequence[str], timeout: int, system: System) -> Completed:
    """Run dnf; where somebody else holds its lock, again and again for so many seconds."""
    command = (PROGRAM, "--setopt=exit_on_lock=True", "--color=never", *argv)
    done = run(system, command, ENGLISH)
    for _ in range(timeout):
        if done.code != _LOCKED:
            break
        run(system, ("sleep", "1"))
        done = run(system, command, ENGLISH)
    return done


def _flags(options: Options, *, held: bool) -> Tuple[str, ...]:
    found = ["--allowerasing", f"--setopt=clean_requirements_on_remove={options.autoremove}"]
    if options.recommends is not None:
        found.append(f"--setopt=install_weak_deps={options.recommends}")
    if held:
        found.append("--disableplugin=versionlock")
    return tuple(found)
