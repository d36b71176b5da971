"""The same wishes over the same base are the same image, whatever the machine was doing when they were baked."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.amount import amount

from vitrify.builders.oci import Means, OciBuilder
from vitrify.core.declaration import Content
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.resource import Address, Resource
from vitrify.onhost.unpack import unpack
from vitrify.ports import BakeRequest
from vitrify.stores.layout import LayoutStore
from vitrify.testing.memory_session import MemorySession, Part

NAMES = st.text(st.characters(exclude_categories=["C"], exclude_characters="/"), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..") and not name.startswith(".wh.") and len(name.encode()) < 256
)
MODES = st.integers(0, 0o7777).map(lambda mode: f"{mode:04o}")
FILES = st.tuples(st.just("file"), MODES, st.binary(max_size=2000))
LINKS = st.tuples(st.just("link"), MODES, st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=150).map(str.encode))
TREES = st.recursive(
    st.dictionaries(NAMES, FILES | LINKS, max_size=4),
    lambda inner: st.dictionaries(NAMES, FILES | LINKS | st.tuples(st.just("directory"), MODES, inner), max_size=4),
    max_leaves=12,
)
Inner = dict[str, tuple[str, str, object]]


def request(tree: Inner) -> BakeRequest:
    contents: dict[str, Content] = {}
    entries: JSONObject = {}
    for path, kind, mode, value in flat(tree):
        part: dict[str, JSON] = {"type": kind, "mode": mode}
        if isinstance(value, bytes) and kind == "file":
            part["content"] = digest_bytes(value)
            contents[digest_bytes(value)] = Content(data=value)
        elif isinstance(value, bytes):
            part["to"] = value.decode()
        entries[path] = part
    wish = Resource(Address("tree", "/srv"), {"to": "/srv", "entries": entries})
    return BakeRequest("web", "scratch", [wish.to_json()], contents, {"project": "shop"})


def flat(tree: Inner, above: str = "") -> Iterator[tuple[str, str, str, object]]:
    for name, (kind, mode, value) in tree.items():
        yield above + name, kind, mode, value
        if isinstance(value, dict):
            yield from flat(value, f"{above}{name}/")


@contextmanager
def circumstances(chance: random.Random) -> Iterator[None]:
    """Another umask and time zone."""
    umask, zone = os.umask(chance.choice([0o000, 0o022, 0o077])), os.environ.get("TZ")
    os.environ["TZ"] = chance.choice(["UTC", "Pacific/Apia", "America/St_Johns"])
    time.tzset()
    try:
        yield
    finally:
        os.umask(umask)
        os.environ.pop("TZ")
        os.environ.update({"TZ": zone} if zone is not None else {})
        time.tzset()


def shuffled(chance: random.Random) -> MemorySession:
    def order(parts: Sequence[Part]) -> Iterable[Part]:
        return chance.sample(parts, len(parts))

    return MemorySession(order=order)


def baked(folder: Path, wanted: BakeRequest, chance: random.Random) -> tuple[LayoutStore, str]:
    store = LayoutStore(folder / "".join(chance.choices("abcdef", k=chance.randint(1, 30))))
    with circumstances(chance):
        image = asyncio.run(OciBuilder(shuffled(chance), store, means=Means(machine="x86_64")).bake(wanted))
    return store, image.digest


@settings(max_examples=amount("bake", daily=15), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(TREES, st.integers(0, 2**32))
def test_baking_twice_gives_one_digest(tree: Inner, seed: int) -> None:
    wanted, chance = request(tree), random.Random(seed)  # noqa: S311  not for secrets

    with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as there:
        first, second = (baked(Path(folder), wanted, chance)[1] for folder in (here, there))

    assert first == second


@settings(max_examples=amount("bake", daily=15), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(TREES, st.integers(0, 2**32))
def test_what_was_baked_is_what_is_unpacked(tree: Inner, seed: int) -> None:
    wanted = request(tree)

    with tempfile.TemporaryDirectory() as folder:
        store, digest = baked(Path(folder), wanted, random.Random(seed))  # noqa: S311  not for secrets
        done = unpack(store.folder(digest), digest, f"{folder}/unpacked", sync=lambda _: None)
        for path, kind, _, value in flat(tree):
            place = Path(done.root, "srv", path)
            if kind == "file":
                place.chmod(0o600)
                assert place.read_bytes() == value
            elif kind == "link":
                assert os.readlink(place).encode() == value  # noqa: PTH115  a Path would tidy the target up
            else:
                assert place.is_dir()
                place.chmod(0o700)  # or an ordinary user cannot look inside
