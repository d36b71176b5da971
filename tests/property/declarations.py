"""Declarations of many kinds at once, drawn from the fixtures of all kinds: each with the tree that its fixture starts from."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from vitrify.core import place
from vitrify.core.digest import PLAIN
from vitrify.core.order import order
from vitrify.core.resource import Address, Resource
from vitrify.resources.registry import all_kinds
from vitrify.testing.kind_fixtures import Fixture, read_fixture

KINDS = all_kinds()
FOLDER = Path(__file__).resolve().parents[1] / "kinds"
NEEDS: tuple[frozenset[str], ...] = (frozenset(), frozenset({"accounts"}))
"""What a folder has to offer: files, and the files that accounts are kept in."""
NOT_HERE = frozenset(
    {"command", "script", "git", "venv", "certificate", "package", "reboot", "repository", "http_check", "wait_for", "swap"}
)
"""Kinds that run programs of the root, wait for somebody, or make what no two machines make alike: they have tests of their own."""


def _fixtures() -> list[Fixture]:
    """Those that a folder can be brought to; what they do below /srv each does in a folder of its own."""
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, path in enumerate(sorted(FOLDER.glob("*/*.toml"))):
            moved = Path(scratch) / path.parent.name / path.name
            moved.parent.mkdir(exist_ok=True)
            moved.write_text(path.read_text(encoding="utf-8").replace("/srv/", f"/srv/n{number}/"), encoding="utf-8")
            found.append(read_fixture(moved, KINDS))
    return [fixture for fixture in found if _fits(fixture)]


def _fits(fixture: Fixture) -> bool:
    ended = fixture.failure is not None or fixture.left or fixture.previous is not None or fixture.again
    secret = any(not digest.startswith(PLAIN) for digest in fixture.contents)
    owned = any("owner" in entry or "group" in entry for entry in (*fixture.before.values(), *fixture.after.values()))
    return fixture.needs in NEEDS and fixture.kind not in NOT_HERE and not (ended or secret or owned)


FIXTURES = _fixtures()
SHARED = {"user": ("/etc/passwd",), "group": ("/etc/passwd",), "service": ("/etc/systemd/system",)}
"""What a kind that owns no path works on: one wish for a group that another wish wants gone is no declaration to converge."""


@dataclass(frozen=True)
class Declared:
    """A declaration, and the tree that it meets."""

    fixtures: tuple[Fixture, ...]

    @property
    def wishes(self) -> tuple[Resource, ...]:
        """In the order in which they act."""
        return order([fixture.wish for fixture in self.fixtures], kinds=KINDS).resources

    @property
    def contents(self) -> dict[str, bytes]:
        """What a target may ask for."""
        return {digest: content for fixture in self.fixtures for digest, content in fixture.contents.items()}

    def arrange(self, root: Path) -> None:
        """Put the trees that the fixtures start from into one."""
        for path in [path for fixture in self.fixtures for path in _claims(fixture) if path.startswith("/srv/")]:
            (root / Path(path).parts[1] / Path(path).parts[2]).mkdir(parents=True, exist_ok=True)
        entries = {path: entry for fixture in self.fixtures for path, entry in fixture.before.items()}
        for path, entry in sorted(entries.items()):
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if "to" in entry:
                target.symlink_to(entry["to"])
            elif "bytes" in entry or "content" in entry:
                target.write_bytes(bytes.fromhex(entry["bytes"]) if "bytes" in entry else entry["content"].encode())
            else:
                target.mkdir(exist_ok=True)
        for path, entry in sorted(entries.items(), reverse=True):
            if "mode" in entry:
                (root / path.lstrip("/")).chmod(int(entry["mode"], 8))


def declarations(*, most: int = 8) -> st.SearchStrategy[Declared]:
    """Up to so many wishes that do not get into each other's way."""
    return st.lists(st.sampled_from(FIXTURES), min_size=1, max_size=most).map(apart)


def apart(drawn: Sequence[Fixture]) -> Declared:
    chosen: list[Fixture] = []
    addresses: set[Address] = set()
    claimed: set[str] = set()
    for fixture in drawn:
        own = _claims(fixture)
        if fixture.wish.address in addresses or any(_meet(one, other) for one in own for other in claimed):
            continue
        chosen.append(fixture)
        addresses.add(fixture.wish.address)
        claimed |= own
    return Declared(tuple(chosen))


def _claims(fixture: Fixture) -> set[str]:
    return {*fixture.before, *fixture.after, *KINDS[fixture.kind].owned_paths(fixture.wish), *SHARED.get(fixture.kind, ())}


def _meet(one: str, other: str) -> bool:
    return one == other or place.inside(one, other) or place.inside(other, one)
