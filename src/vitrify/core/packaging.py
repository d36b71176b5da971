"""What all package managers have in common: what they are asked for, what they show, and what they say would happen."""

from __future__ import annotations

import fnmatch
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Protocol, Sequence, Tuple

from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, TargetFailed
from vitrify.core.system import Attributes, Command, Completed, System, Target

LATEST = "latest"
INSTALLED = "installed"
LONGEST = 3600.0
"""Seconds that one transaction may take."""


@dataclass(frozen=True)
class Package:
    """One package as the target has it; `version` is empty where it is not there."""

    version: str = ""
    state: str = INSTALLED
    """`installed`, or how far its package manager got before it was stopped."""
    held: bool = False
    automatic: bool = False
    """Whether it is there only because others need it."""
    provided_by: str = ""
    """The installed package that provides this name, where no package of the name itself is there."""
    remains: bool = False
    """Whether it was removed and its configuration is still there."""

    @property
    def there(self) -> bool:
        """Whether the name is there, by itself or provided."""
        return bool(self.version or self.provided_by)


ABSENT = Package()


@dataclass(frozen=True)
class Options:
    """How a transaction is made. Wishes whose options differ are transactions of their own."""

    recommends: Optional[bool] = None
    release: str = ""
    autoremove: bool = False
    lock_timeout: int = 60


@dataclass(frozen=True)
class Wanted:
    """One wish: `version` is exact, a pattern, `latest`, or empty where any will do."""

    name: str
    version: str = ""
    hold: Optional[bool] = None
    absent: bool = False
    purge: bool = False
    content: str = ""
    """Digest of the package file, where it is brought along."""
    oldest_lists: Optional[int] = None
    """How many seconds old the lists of what can be had may be; None where they are renewed only if there are none."""
    options: Options = Options()

    def fits(self, version: str) -> bool:
        """Whether an installed version is one that was wished for."""
        return self.version in ("", LATEST) or fnmatch.fnmatchcase(version, self.version)

    def acts(self, seen: Package) -> bool:
        """Whether anything has to be installed, changed or removed."""
        if self.absent:
            return bool(seen.version) or (self.purge and seen.remains)
        if not seen.there or seen.state != INSTALLED:
            return True
        return bool(seen.version) and not self.fits(seen.version)


@dataclass(frozen=True)
class Effect:
    """What a transaction does to one package: `install`, `change` or `remove`."""

    action: str
    name: str
    old: str = ""
    new: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.action, self.name, self.old, self.new) if part)

    @classmethod
    def parse(cls, text: str) -> Effect:
        """Read what `str` wrote."""
        action, name, first, second, *_ = [*text.split(" "), "", ""]
        return cls(action, name, new=first) if action == "install" else cls(action, name, old=first, new=second)

    def told(self) -> str:
        """In words, beside the line of the package that it comes with; what is lost is said loudly."""
        if self.action == "install":
            return f"also installs {self.name} {self.new} (dependency)"
        if self.action == "change":
            return f"also changes {self.name} {self.old} -> {self.new}"
        return f"also REMOVES {self.name} {self.old}"


@dataclass(frozen=True)
class Foreseen:
    """What the package manager's own simulation says of one wish."""

    candidate: str = ""
    also: Tuple[Effect, ...] = ()
    needed_by: Tuple[str, ...] = ()
    """The other wishes of the same transaction that need this one."""
    lost: bool = False
    """Whether a version that goes cannot be had again."""
    problem: str = ""
    stale: bool = False
    """Whether the lists are to be renewed first, so that versions may be newer than the simulation says."""


@dataclass(frozen=True)
class Due:
    """One wish that is carried out now, with what the plan said of it."""

    wanted: Wanted
    seen: Package
    foreseen: Foreseen
    planned: bool = True
    """Whether the plan asked the simulation about it; what leaves the declaration goes without having been asked about."""

    assumed: bool = False
    """Whether an earlier change of the plan moved what can be had."""

    @property
    def exact(self) -> bool:
        """Whether the plan knew all that would happen."""
        return self.planned and not (self.assumed or self.foreseen.stale or self.foreseen.problem or self.wanted.content)

    @property
    def version(self) -> str:
        """The version to ask for: that of the plan, else that of the wish; "" for whichever there is."""
        wished = self.wanted.version if self.wanted.version != LATEST else ""
        return self.foreseen.candidate if self.exact and self.foreseen.candidate else wished


class Manager(Protocol):
    """What a kind asks of a package manager. Stateless; acts through the system alone."""

    name: str

    def present(self, system: System) -> bool:
        """Whether it is on this target."""

    def look(self, names: Sequence[str], system: System) -> Mapping[str, Package]:
        """Each of these names as it is now."""

    def versions(self, system: System) -> Mapping[str, str]:
        """Every package that is installed, and its version."""

    def foresee(self, wanted: Sequence[Tuple[Wanted, Package]], system: System) -> Mapping[str, Foreseen]:
        """What would happen, by name, of those wishes that something has to be done for; changes nothing."""

    def install(self, due: Sequence[Due], system: System) -> None:
        """Install or change all of these in one transaction, and nothing that the plan did not name."""

    def remove(self, due: Sequence[Due], system: System) -> None:
        """Remove all of these in one transaction, and nothing that the plan did not name."""

    def back(self, effects: Sequence[Effect], system: System, *, allowed: Sequence[str], orphans: bool) -> None:
        """Make these effects; packages in `allowed` may go with it, and with `orphans` the dependencies that nobody needs then."""

    def mark(self, name: str, *, held: Optional[bool], automatic: Optional[bool], system: System) -> None:
        """Set whether a package is held, and whether it is there only because others need it; None leaves that as it is."""


_OTHERS = {
    "dnf5": (("/usr/bin/dnf5",), "[rpm, -q, NAME]"),
    "microdnf": (("/usr/bin/microdnf",), "[rpm, -q, NAME]"),
    "dnf": (("/usr/bin/dnf",), "[rpm, -q, NAME]"),
    "yum": (("/usr/bin/yum",), "[rpm, -q, NAME]"),
    "apk": (("/sbin/apk", "/usr/bin/apk"), "[apk, info, -e, NAME]"),
    "zypper": (("/usr/bin/zypper",), "[rpm, -q, NAME]"),
    "pacman": (("/usr/bin/pacman",), "[pacman, -Q, NAME]"),
}
"""Package managers that are known by name alone: where each lies, and what it is asked whether a package is there."""


def nobody(system: System) -> TargetFailed:
    """The error of a target whose packages nobody here can install: what keeps them, and what to declare in place of a package."""
    if system.target is Target.IMAGE and system.stat("/usr/bin/dnf") is not None:
        hint = "bake upon a base that has the packages already; a lock of rpm packages is not spoken"
        return TargetFailed("packages of this image are kept by dnf, and only apt's are baked", hint=hint)
    for name, (paths, asked) in _OTHERS.items():
        if any(system.stat(path) is not None for path in paths):
            hint = f"declare a `command` that runs {name}, with `unless: {asked}`; of package managers apt and dnf 4 are spoken"
            return TargetFailed(f"packages of this target are kept by {name}, which vitrify does not speak", hint=hint)
    return TargetFailed("there is no package manager on this target", why="it has neither apt-get nor dnf")


@contextmanager
def brought_along(group: Sequence[Due], system: System, path: str, check: Callable[[Wanted, str], None]) -> Iterator[List[str]]:
    """The package files of these wishes, for as long as the package manager needs them: `{}` in `path` stands for a package's name.

    `check` raises where a file is not the one that was wished for.
    """
    placed: List[str] = []
    try:
        for one in group:
            if one.wanted.content:
                placed.append(path.format(one.wanted.name.partition(":")[0]))
                system.write(placed[-1], system.blob(one.wanted.content), attributes=Attributes(mode="0644"))
                check(one.wanted, placed[-1])
        yield placed
    finally:
        for file in placed:
            system.remove(file)


def with_ages(
    found: Mapping[str, Foreseen], wanted: Sequence[Tuple[Wanted, Package]], stale: Callable[[Optional[int]], bool]
) -> Mapping[str, Foreseen]:
    """What is foreseen, and of which wishes the lists are too old; `stale` tells that of an age, and is asked once for each."""
    ages = {wish.oldest_lists for wish, _ in wanted if not wish.absent and not wish.content}
    old = {age for age in ages if stale(age)}
    renewed = {wish.name for wish, _ in wanted if not wish.absent and wish.oldest_lists in old}
    return {name: replace(one, stale=name in renewed) for name, one in found.items()}


def by_options(due: Sequence[Due]) -> List[List[Due]]:
    """In order, those together whose options agree."""
    groups: Dict[Tuple[Options, bool], List[Due]] = {}
    for one in due:
        groups.setdefault((one.wanted.options, one.wanted.purge), []).append(one)
    return list(groups.values())


def refuse_unnamed(effects: Sequence[Effect], due: Sequence[Due]) -> None:
    """Raise TargetFailed where a transaction would do what the plan did not name; what is removed must be named in any case."""
    named = {(effect.action, effect.name) for one in due for effect in one.foreseen.also}
    wished = {one.wanted.name: one.wanted.absent for one in due}
    exact = all(one.exact for one in due)
    for effect in effects:
        own = effect.name in wished and wished[effect.name] is (effect.action == "remove")
        if not own and (effect.action, effect.name) not in named and (exact or effect.action == "remove"):
            raise TargetFailed(
                f"{', '.join(sorted(wished))}: the package manager would do more than the plan says",
                why=f"it {effect.told()}",
                hint="plan again, look, and apply that",
            )


def run(system: System, argv: Sequence[str], environment: Optional[Mapping[str, str]] = None) -> Completed:
    """Run a program of a package manager."""
    return system.run(Command(tuple(argv), environment=dict(environment or {}), timeout=LONGEST))


def demand(system: System, argv: Sequence[str], *, stdin: bytes = b"", hint: str = "") -> None:
    """Run a program that must succeed."""
    done = system.run(Command(tuple(argv), environment={"DEBIAN_FRONTEND": "noninteractive"}, stdin=stdin))
    if done.code != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise TargetFailed(f"{argv[0]} ended with {done.code}", why="; ".join(said[-3:]), hint=hint)


def lacks_root(system: System) -> str:
    """Why packages cannot be installed into this root, in words; "" where they can.

    A package manager gives files to other users than root: inside a root it needs more user ids than the single one that
    somebody who is not root has.
    """
    if system.target is Target.HOST:
        return ""
    lines = system.run(Command(("cat", "/proc/self/uid_map"))).stdout.splitlines()
    ids = sum(int(line.split()[2]) for line in lines if len(line.split()) == 3)
    return "" if ids > 65_000 else "files of packages belong to several users, and only root can give files to others"


def hindrance(system: System) -> str:
    """Why nothing can be installed here, in words: a plan says so, and only an apply fails."""
    try:
        return lacks_root(system)
    except TargetFailed as error:
        return f"{error.diagnostics[0].summary} ({error.diagnostics[0].why})"


class NoIds(DeclarationInvalid):
    """An image is to hold packages, and whoever bakes has no ids to give their files to."""


def refuse_without_root(system: System) -> None:
    """Raise TargetFailed where packages cannot be installed into this root; of an image, that it cannot be declared so (`NoIds`)."""
    why, hint = lacks_root(system), "run the same command as root: `sudo vitrify …`"
    if why and system.target is Target.IMAGE:
        baked = f"{hint}; or bake upon a base that has the packages already, as in `base: rootfs:DIR`"
        raise NoIds([Diagnostic("packages cannot be installed into this image", why=why, hint=baked)])
    if why:
        raise TargetFailed("packages cannot be installed into this root", why=why, hint=hint)
