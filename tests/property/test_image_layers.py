"""However a declaration is cut into layers, and whatever of them is known already: the image's root is that of one bake in one layer."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.amount import amount

from vitrify.builders import stack
from vitrify.builders.cut import cut, whole
from vitrify.builders.oci import Means, OciBuilder
from vitrify.core.declaration import Content
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.difference import Change
from vitrify.core.digest import JSON, digest_bytes
from vitrify.core.order import order
from vitrify.core.resource import Address, Kind, Kinds, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Schema, Type
from vitrify.core.system import Attributes, System
from vitrify.onhost.bake import bake
from vitrify.onhost.unpack import unpack
from vitrify.ports import BakeRequest
from vitrify.resources.directory import Directory
from vitrify.resources.file import File
from vitrify.resources.line import Line
from vitrify.resources.link import Link
from vitrify.resources.tree import Tree
from vitrify.stores.layout import LayoutStore
from vitrify.testing.direct_session import DirectSession

ONE, TWO = b"one\n", b"two\n"
CONTENTS = {digest_bytes(content): content for content in (ONE, TWO)}
FOLDERS = st.sampled_from(["/srv/a", "/srv/d", "/srv/a/e", "/opt/p"])
FILES = st.sampled_from(
    ["/srv/f", "/srv/a/f", "/srv/a/b/f", "/srv/d/f", "/etc/f", "/etc/x/f", "/etc/x/g", "/srv/l/f", "/etc/l/f", "/opt/o/f"]
)
SURE = st.sampled_from(["/srv/f", "/srv/a/b/f", "/etc/f", "/etc/x/f"])
LINKS = st.sampled_from(["/srv/l", "/srv/l", "/srv/d", "/etc/l"])
MODES = st.sampled_from(["0700", "0750", "0755", "2775", "0000"])
BASES = st.sampled_from(["scratch", "rootfs"])
EXAMPLES = settings(
    max_examples=amount("layers", daily=40), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


class Seer(Kind):
    """Does what a program may: looks at everything beneath its root and writes down what it saw, or plants a link."""

    schema = Schema({"name": Field(Type.NAME, "its name", required=True), "link": Field(Type.TEXT, "where a link goes")})
    phases = frozenset({Phase.BAKE})
    sees = "/"

    def identity(self, fields: Mapping[str, JSON]) -> str:
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        return {"done": True}

    def observe(self, resource: Resource, system: System) -> Observation:
        return Observation(resource.address, {"done": system.stat(made_by(resource)) is not None})

    def enact(self, change: Change, system: System) -> None:
        resource = change.resource
        if "link" in resource.fields:
            system.make_link(made_by(resource), to=str(resource.fields["link"]))
            return
        seen = hashlib.sha256("\n".join(look(system, self.sees)).encode()).hexdigest()
        system.write(made_by(resource), seen.encode(), attributes=Attributes(mode="0640", owner="7"))


def made_by(resource: Resource) -> str:
    return f"/etc/{resource.address.name}" if "link" in resource.fields else f"/etc/seen-{resource.address.name}"


class Command(Seer):
    """Sees everything."""

    name = "command"


class Package(Seer):
    """Looks where packages do: anywhere but in /srv and /opt."""

    name = "package"
    sees = "/etc"


KINDS = Kinds([File(), Directory(), Link(), Tree(), Line(), Command(), Package()])


def look(system: System, path: str) -> Iterator[str]:
    for name in system.names(path):
        inner = f"{path.rstrip('/')}/{name}"
        found = system.stat(inner)
        assert found is not None
        yield (
            f"{inner} {found.type} {found.mode} {found.owner} {found.link} {system.read(inner)!r}"
            if found.type == "file"
            else (f"{inner} {found.type} {found.mode} {found.owner} {found.link}")
        )
        if found.type == "directory":
            yield from look(system, inner)


def wish(kind: str, name: str, /, *, absent: bool = False, **fields: JSON) -> Resource:
    return Resource(Address(kind, name), {key: value for key, value in fields.items() if value is not None}, absent=absent)


def a_tree(path: str, names: Sequence[str], link: str) -> Resource:
    entries: dict[str, JSON] = {name: {"type": "file", "mode": "0644", "content": digest_bytes(ONE)} for name in names}
    if link:
        entries["l"] = {"type": "link", "to": link}
    return wish("tree", path, to=path, entries=entries)


DIGESTS = st.sampled_from(sorted(CONTENTS))
OWNERS = st.sampled_from([None, None, "7"])
PARENTS = st.sampled_from([True] * 9 + [None])
NAMES = st.lists(st.sampled_from("bfgx"), unique=True)
ANY = st.one_of(
    st.builds(lambda p, d, m, o, f: wish("file", p, path=p, content=d, mode=m, owner=o, parents=f), FILES, DIGESTS, MODES, OWNERS, PARENTS),
    st.builds(lambda p, m, o, f: wish("directory", p, path=p, mode=m, owner=o, parents=f), FOLDERS, MODES, OWNERS, PARENTS),
    st.builds(lambda p, t: wish("link", p, path=p, to=t), LINKS, st.sampled_from(["/etc", "/srv/a", "a"])),
    st.builds(a_tree, FOLDERS, NAMES, st.sampled_from(["", "/etc"])),
    st.builds(lambda p, t: wish("line", f"{p} {t}", path=p, line=t, create=True), SURE, st.sampled_from(["one", "more"])),
    st.builds(lambda p: wish("file", p, path=p, absent=True), FILES),
    st.builds(lambda p: wish("directory", p, path=p, absent=True), st.sampled_from(["/srv/a/e", "/opt/p"])),
    st.builds(lambda n: wish("command", n, name=n), st.sampled_from("mn")),
    st.builds(lambda t: wish("command", "l", name="l", link=t), st.sampled_from(["/srv/a", "/srv"])),
    st.builds(lambda n: wish("package", n, name=n), st.sampled_from("pq")),
)
ALWAYS = tuple(wish("directory", path, path=path, parents=True) for path in ("/etc", "/srv", "/opt", "/srv/a/b", "/etc/x"))
WISHES = st.lists(ANY, min_size=2, max_size=9, unique_by=lambda one: (one.address.name.partition(" ")[0], one.address.kind == "line"))


@dataclass(frozen=True)
class Shop:
    """A store, and what is baked into it."""

    folder: Path
    base: str

    def bake(self, wishes: Sequence[Resource], name: str = "store") -> tuple[LayoutStore, str]:
        store = LayoutStore(self.folder / name)
        contents = {digest: Content(data=content) for digest, content in CONTENTS.items()}
        request = BakeRequest("web", self.base, [one.to_json() for one in (*ALWAYS, *wishes)], contents, {})
        session = DirectSession({"bake": bake}, lambda: 0.0, KINDS)
        return store, asyncio.run(OciBuilder(session, store, means=Means(machine="x86_64")).bake(request)).digest

    def root(self, wishes: Sequence[Resource], name: str) -> dict[str, tuple[object, ...]] | str:
        """Every path of the image with all that it has; or that there is none."""
        try:
            store, digest = self.bake(wishes, name)
        except VitrifyError:
            return "refused"
        done = unpack(store.folder(digest), digest, f"{self.folder}/{name}-root", sync=lambda _: None)
        stamps = (Path(done.folder) / "attributes.json").read_text() if (Path(done.folder) / "attributes.json").exists() else ""
        return {"": (stamps,), **{str(path.relative_to(done.root)): looks for path, looks in _all(Path(done.root))}}


def _all(folder: Path) -> Iterator[tuple[Path, tuple[object, ...]]]:
    for path in sorted(folder.iterdir()):
        yield path, _looks(path)
        if path.is_dir() and not path.is_symlink():
            yield from _all(path)


def _looks(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    if not path.is_symlink():
        path.chmod(0o700)  # or an ordinary user cannot look inside
    content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
    return (status.st_mode, status.st_uid, status.st_gid, content)


def shop(folder: str, kind: str) -> Shop:
    if kind == "scratch":
        return Shop(Path(folder), "scratch")
    base = Path(folder, "base")
    for name in ("etc", "srv/a/b", "opt"):
        (base / name).mkdir(parents=True)
    (base / "srv" / "a" / "b" / "c").write_text("of the base\n")
    (base / "opt" / "o").symlink_to("/srv/a")
    return Shop(Path(folder), f"rootfs:{base}")


def acting(drawn: Sequence[Resource]) -> tuple[Resource, ...]:
    return order(drawn, kinds=KINDS).resources


THROUGH_A_LINK_OF_THE_BASE = [wish("file", "/opt/o/f", path="/opt/o/f", content=digest_bytes(TWO)), a_tree("/srv/a", ["f"], "")]
THROUGH_A_LINK_OF_A_COMMAND = [
    wish("command", "l", name="l", link="/srv/d"),
    wish("directory", "/srv/d", path="/srv/d"),
    wish("file", "/etc/l/f", path="/etc/l/f", content=digest_bytes(TWO)),
    a_tree("/srv/d", ["f"], ""),
]


@EXAMPLES
@given(WISHES, BASES)
@example(THROUGH_A_LINK_OF_THE_BASE, "rootfs")
@example(THROUGH_A_LINK_OF_A_COMMAND, "scratch")
def test_the_root_made_of_the_layers_is_that_of_one_layer(drawn: Sequence[Resource], base: str) -> None:
    wishes = acting(drawn)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        layered = shop(folder, base).root(wishes, "layered")
        patched.setattr(stack, "cut", whole)

        assert Shop(Path(folder), f"rootfs:{folder}/base" if base == "rootfs" else "scratch").root(wishes, "whole") == layered


@EXAMPLES
@given(WISHES, BASES, st.integers(0, 8))
def test_what_was_baked_before_and_what_is_left_of_it_does_not_show(drawn: Sequence[Resource], base: str, some: int) -> None:
    wishes = acting(drawn)
    with tempfile.TemporaryDirectory() as folder:
        here = shop(folder, base)
        try:
            fresh = here.bake(wishes, "fresh")[1]
        except VitrifyError:
            return
        part = [one for number, one in enumerate(wishes) if number != some % len(wishes)]
        with suppress(VitrifyError):
            here.bake(part, "used")
        shutil.rmtree(Path(folder, "used", "roots"), ignore_errors=True)

        assert here.bake(wishes, "used")[1] == fresh


@EXAMPLES
@given(WISHES, ANY)
def test_what_is_added_at_the_end_leaves_the_order_of_all_others(drawn: Sequence[Resource], more: Resource) -> None:
    before = [one.to_json() for one in drawn]
    after = [one for piece in cut([*before, more.to_json()]).slices for one in piece.resources]

    assert sorted(map(str, after)) == sorted(map(str, [*before, more.to_json()]))
