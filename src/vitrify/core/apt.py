"""Runs apt: simulates, acts, renews its lists, and says in words what it could not do. Not for looking: see `dpkg`."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import Iterator, List, Mapping, Optional, Sequence, Tuple

from vitrify.core import dpkg, simulation, supplies
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.packaging import LONGEST, Effect, Options, refuse_without_root, run
from vitrify.core.place import ancestors
from vitrify.core.system import Attributes, Command, Completed, System, Target

PROGRAM = "/usr/bin/apt-get"
HELPER = "/usr/lib/apt/apt-helper"
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "APT_LISTCHANGES_FRONTEND": "none", "NEEDRESTART_MODE": "l", "UCF_FORCE_CONFFOLD": "1"}
"""No package asks anything, and none restarts services that the plan did not name."""
KEPT = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
"""Configuration that somebody changed stays as it is."""
STAMP = "/var/lib/apt/periodic/update-success-stamp"
_SIGNS = ("/var/lib/apt/lists", "/var/lib/apt/periodic/update-stamp", STAMP)
LOCK = "/var/lib/dpkg/lock-frontend"
POLICY = "/usr/sbin/policy-rc.d"
NO_SERVICES = b"#!/bin/sh\n# Placed by vitrify while packages are installed into this root: nothing is started here.\nexit 101\n"

_HOLDER = re.compile(r"(?:held by process|another process with pid) (\d+)(?: \(([^)]*)\))?")
_LOCKED = re.compile(r"^E: (Could not get lock|Unable to (acquire|lock) )", re.MULTILINE)
_TELLING = re.compile(r"^(E: |dpkg: |Err:|W: .*(?:GPG|NO_PUBKEY|signature))|error|failed|returned", re.IGNORECASE)
_SHOWN = 8


def simulate(argv: Sequence[str], options: Options, system: System) -> Completed:
    """What apt-get would do, as it says itself; changes nothing."""
    return run(system, (PROGRAM, "--simulate", *_flags(options, system), *argv), QUIET)


def simulated(argv: Sequence[str], options: Options, system: System) -> List[Effect]:
    """The effects of a transaction; TargetFailed where apt refuses it, DeclarationInvalid where the lock does not hold what it needs."""
    done = simulate(argv, options, system)
    if done.code != 0:
        if supplies.pinned(system):
            raise supplies.not_pinned(" ".join(argv[1:]), why=simulation.complaint(f"{done.stdout}\n{done.stderr}"))
        raise failed(argv, done)
    return [step.effect for step in simulation.steps(done.stdout)]


def act(argv: Sequence[str], options: Options, system: System) -> None:
    """Do it. Inside a root that is not the running system nothing is started meanwhile."""
    if supplies.choosing(system):
        _choose(argv, options, system)
    with _nothing_started(system):
        done = run(system, (PROGRAM, *_flags(options, system), *argv), {**QUIET, **_undated(system)})
    if done.code != 0:
        raise failed(argv, done, system)


def _undated(system: System) -> Mapping[str, str]:
    """In an image scripts write no date, as far as they let that be chosen."""
    return {"SOURCE_DATE_EPOCH": "0", "TZ": "UTC"} if system.target is Target.IMAGE else {}


def _choose(argv: Sequence[str], options: Options, system: System) -> None:
    """Have the file of everything that this would install, from wherever it is, and remember what it is."""
    done = simulate(argv, options, system)
    if done.code != 0:
        raise failed(argv, done, system)
    # What the project brought along itself is pinned by its own digest.
    steps = [step for step in simulation.steps(done.stdout) if step.effect.new and not step.origin.startswith("local-deb")]
    if not steps:
        return
    wanted = [f"{step.effect.name}={step.effect.new}" for step in steps]
    command = (PROGRAM, "--quiet", *surroundings(system), "download", *wanted)
    done = system.run(Command(command, cwd=supplies.DEBS, environment=QUIET, timeout=LONGEST))
    if done.code != 0:
        raise failed(("download", *wanted), done)
    supplies.note(steps, system)


def update(system: System, *, sources: str = "") -> None:
    """Renew the lists of what can be had: all of them, or those of one file of sources. What is pinned has no newer lists."""
    refuse_without_root(system)
    if supplies.pinned(system):
        return
    renew(system, sources=sources)
    if supplies.choosing(system):
        system.write(supplies.RENEWED, b"", attributes=Attributes(mode="0644"))


def renew(system: System, *, sources: str = "") -> None:
    """Let apt read its lists anew, wherever they are."""
    only = ("-o", f"Dir::Etc::SourceList={sources}", "-o", "Dir::Etc::SourceParts=/dev/null", "-o", "APT::Get::List-Cleanup=0")
    strict = ("-o", "APT::Update::Error-Mode=any")
    done = run(system, (PROGRAM, "--quiet", *surroundings(system), *strict, *(only if sources else ()), "update"), QUIET)
    if done.code != 0:
        raise failed(("update",), done)
    if not sources and system.target is not Target.IMAGE:
        for folder in ancestors(STAMP):
            if system.stat(folder) is None:
                system.make_directory(folder, attributes=Attributes())
        system.write(STAMP, b"", attributes=Attributes(mode="0644"))


def renewed_ns(system: System) -> int:
    """When the lists were last renewed, as far as files tell; 0 where they never were."""
    stats = [system.stat(path) for path in _SIGNS]
    lists = system.names(_SIGNS[0]) if stats[0] is not None else ()
    if not any(name.endswith(("Release", "Packages")) for name in lists):
        return 0
    return max(stat.mtime_ns for stat in stats if stat is not None)


def stale(oldest: Optional[int], system: System) -> bool:
    """Whether the lists are older than so many seconds, or are not there at all. What is chosen is chosen from new ones."""
    if supplies.pinned(system):
        return False
    if supplies.choosing(system):
        return system.stat(supplies.RENEWED) is None
    renewed = renewed_ns(system)
    if renewed == 0 or oldest is None:
        return renewed == 0
    now = run(system, ("date", "+%s")).stdout.strip()
    return not now.isdigit() or int(now) - renewed // 1_000_000_000 > oldest


def recover(system: System) -> None:
    """Let dpkg finish what it was stopped in; what it then still cannot configure is for the transaction to mend."""
    if not dpkg.interrupted(system):
        return
    with _nothing_started(system):
        done = run(system, ("dpkg", "--force-confdef", "--force-confold", "--configure", "-a"), QUIET)
    if done.code != 0 and _HOLDER.search(done.stderr):
        raise failed(("dpkg", "--configure", "-a"), done)


def failed(argv: Sequence[str], done: Completed, system: Optional[System] = None) -> TargetFailed:
    """The error of a program of the package manager, with what it said itself; a `system` is asked who holds the lock if need be."""
    output = f"{done.stdout}\n{done.stderr}"
    holder = _HOLDER.search(output)
    if holder or _LOCKED.search(output):
        number, program = holder.groups() if holder else _locker(system) if system else ("", "")
        named = f"{program} (process {number})" if program else f"process {number}" if number else "a process that apt does not name"
        return TargetFailed(
            "the package manager is in use by somebody else",
            why=f"its lock is held by {named}",
            hint="wait until that has ended, and run the same command again; `lock_timeout` says how long to wait",
        )
    said = [line.strip() for line in output.splitlines() if _TELLING.search(line)]
    if simulation.complaint(done.stderr):
        said.append(simulation.complaint(output))
    shown = list(dict.fromkeys(said))[:_SHOWN]
    return TargetFailed(
        f"the package manager ended with {done.code}: {' '.join(argv)}",
        why="; ".join([*_script_output(output), *shown]),
        hint="the log is in /var/log/apt/term.log on the target; mend the cause and run the same command again",
    )


def _locker(system: System) -> Tuple[str, str]:
    """The process that holds dpkg's lock, and its program, as the kernel tells; empty where it does not."""
    inode = run(system, ("stat", "--format=%i", LOCK)).stdout.strip()
    if system.target is not Target.HOST or not inode or system.stat("/proc/locks") is None:
        return "", ""
    for line in system.read("/proc/locks").decode().splitlines():
        words = line.split()
        if len(words) == 8 and words[5].endswith(f":{inode}"):
            comm = f"/proc/{words[4]}/comm"
            return words[4], system.read(comm).decode().strip() if system.stat(comm) is not None else ""
    return "", ""


def _script_output(output: str) -> List[str]:
    """The lines that a package's own script said before dpkg gave it up."""
    lines = output.splitlines()
    ends = [number for number, line in enumerate(lines) if line.startswith("dpkg: error processing")]
    if not ends:
        return []
    begins = max(
        (number for number in range(ends[0]) if lines[number].startswith(("Setting up", "Unpacking", "Removing"))), default=ends[0]
    )
    return [line.strip() for line in lines[begins + 1 : ends[0]] if line.strip()][-3:]


def _flags(options: Options, system: System) -> Tuple[str, ...]:
    found = ["--quiet", "--yes", "--fix-broken", "--allow-downgrades", "--allow-change-held-packages"]
    found += ["-o", f"DPkg::Lock::Timeout={options.lock_timeout}", *KEPT]
    if options.recommends is not None:
        found.append("--install-recommends" if options.recommends else "--no-install-recommends")
    if options.release and not supplies.pinned(system):
        found += ["--target-release", options.release]
    if options.autoremove:
        found.append("--auto-remove")
    return (*found, *surroundings(system))


def surroundings(system: System) -> Tuple[str, ...]:
    """What any program of apt must be told inside a root: it cannot become another user there, and an image keeps no traces."""
    if system.target is Target.HOST:
        return ()
    inside = ("-o", "APT::Sandbox::User=root", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=")
    if system.target is not Target.IMAGE:
        return inside
    traces = ("-o", "Dir::Log::Terminal=", "-o", "Dir::Log::History=", "-o", "Dir::Log::Planner=", "-o", "Dpkg::Options::=--log=/dev/null")
    quick = ("-o", "Dpkg::Options::=--force-unsafe-io")  # a bake that is cut short is thrown away
    return (*inside, *traces, *quick, "-o", "APT::Keep-Downloaded-Packages=0", *supplies.apt_options(system))


@contextmanager
def _nothing_started(system: System) -> Iterator[None]:
    if system.target is Target.HOST:
        yield
        return
    found = system.stat(POLICY)
    foreign = found is not None and (found.type != "file" or system.read(POLICY) != NO_SERVICES)
    if not foreign:
        system.write(POLICY, NO_SERVICES, attributes=Attributes(mode="0755"))
    try:
        yield
    finally:
        if not foreign:
            system.remove(POLICY)
