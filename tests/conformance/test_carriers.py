"""Images arrive where they are to run, byte for byte, and nothing that is there already is sent again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from vitrify.builders.oci import OciBuilder
from vitrify.core.declaration import Content
from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import JSONObject, digest_bytes
from vitrify.core.event import Emit, silence
from vitrify.core.resource import Address, Resource
from vitrify.onhost.layout import blob_path, read_manifest
from vitrify.onhost.taking import CALLS
from vitrify.ports import BakeRequest
from vitrify.resources.registry import all_kinds
from vitrify.stores.carrying import NearbyCarrier, SessionCarrier
from vitrify.stores.layout import LayoutStore
from vitrify.testing.carrier_suite import CarrierSuite, Journey
from vitrify.testing.direct_session import DirectSession
from vitrify.testing.memory_session import MemorySession

NOISE = random.Random(7).randbytes(200_000)  # noqa: S311  the same bytes each time
LONG = b"0123456789abcdef" * (1 << 20) + b"and a little more"
"""Longer than one content may be."""


def baked(store: LayoutStore, **files: bytes) -> str:
    """An image with these files in one tree."""
    held = {digest_bytes(content): Content(data=content) for content in files.values()}
    entries: JSONObject = {name: {"type": "file", "mode": "0644", "content": digest_bytes(content)} for name, content in files.items()}
    tree = Resource(Address("tree", "/srv"), {"to": "/srv", "entries": entries})
    request = BakeRequest("web", "scratch", [tree.to_json()], held, {"project": "shop"})
    return asyncio.run(OciBuilder(MemorySession(), store).bake(request)).digest


@dataclass
class CountingSession:
    """A session that tells what was asked of it, and how many bytes of contents went over it."""

    calls: list[str] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    lies: dict[str, bytes] = field(default_factory=dict)

    async def call(
        self, name: str, arguments: JSONObject, *, contents: Mapping[str, Content] | None = None, emit: Emit = silence
    ) -> JSONObject:
        self.calls.append(name)
        asked = _Asked(contents or {}, self)
        return await DirectSession(CALLS, lambda: 0.0, all_kinds()).call(name, arguments, contents=asked, emit=emit)

    async def close(self) -> None:
        """Nothing to end."""


class _Asked(dict[str, Content]):
    """Contents that note which of them were wanted."""

    def __init__(self, contents: Mapping[str, Content], session: CountingSession) -> None:
        super().__init__(contents)
        self._session = session

    def get(self, key: str, default: Content | None = None) -> Content | None:  # type: ignore[override]
        content = super().get(key, default)
        if key in self._session.lies:
            return Content(data=self._session.lies[key])
        if content is not None:
            size = len(content.data) if content.data is not None else content.size or Path(content.path or "").stat().st_size
            self._session.sent[key] = size
        return content


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "store")


def journey(carrier: NearbyCarrier | SessionCarrier, store: LayoutStore, folder: Path) -> Journey:
    numbers = count()
    first, second = baked(store, a=NOISE, b=b"small"), baked(store, a=NOISE, b=b"other")
    return Journey(carrier, first, second, lambda: str(folder / f"unpacked{next(numbers)}"))


class TestNearbyCarrier(CarrierSuite):
    @pytest.fixture
    def journey(self, store: LayoutStore, tmp_path: Path) -> Journey:
        return journey(NearbyCarrier(store), store, tmp_path)


class TestSessionCarrier(CarrierSuite):
    @pytest.fixture
    def journey(self, store: LayoutStore, tmp_path: Path) -> Journey:
        return journey(SessionCarrier(CountingSession(), str(tmp_path / "host"), store), store, tmp_path)


def test_of_the_next_image_only_what_changed_is_sent(store: LayoutStore, tmp_path: Path) -> None:
    session = CountingSession()
    carrier = SessionCarrier(session, str(tmp_path / "host"), store)
    asyncio.run(carrier.bring(baked(store, a=NOISE, b=b"one" * 500)))
    first, session.sent = sum(session.sent.values()), {}

    asyncio.run(carrier.bring(baked(store, a=NOISE, b=b"two" * 500)))

    assert first > len(NOISE)
    assert sum(session.sent.values()) < 1500 + 4096


def test_an_image_that_is_there_costs_one_question(store: LayoutStore, tmp_path: Path) -> None:
    session, image = CountingSession(), baked(store, a=NOISE)
    carrier = SessionCarrier(session, str(tmp_path / "host"), store)
    asyncio.run(carrier.bring(image))
    session.calls.clear()

    asyncio.run(carrier.bring(image))

    assert session.calls == ["image.lacking"]


def test_a_file_longer_than_one_content_arrives_in_several(store: LayoutStore, tmp_path: Path) -> None:
    image = baked(store, a=LONG)
    layout = asyncio.run(SessionCarrier(CountingSession(), str(tmp_path / "host"), store).bring(image))
    for layer in read_manifest(layout, image).layers:
        assert digest_bytes(blob_path(layout, layer.digest).read_bytes()) == layer.digest


def test_a_content_that_is_not_what_its_name_says_is_refused_and_nothing_is_kept(store: LayoutStore, tmp_path: Path) -> None:
    session, image = CountingSession(), baked(store, a=NOISE)
    session.lies[digest_bytes(NOISE)] = NOISE[:-1] + b"!"
    carrier = SessionCarrier(session, str(tmp_path / "host"), store)

    with pytest.raises(IntegrityFailed, match="came as something else"):
        asyncio.run(carrier.bring(image))
    assert not list((tmp_path / "host" / "store" / "oci").glob("blobs/sha256/*"))
    session.lies.clear()
    assert asyncio.run(carrier.bring(image))


def test_what_a_host_holds_is_believed_by_its_bytes_alone(store: LayoutStore, tmp_path: Path) -> None:
    """Somebody altered a layer on the host: its contents are not taken from there, but asked for again."""
    session = CountingSession()
    carrier = SessionCarrier(session, str(tmp_path / "host"), store)
    first = baked(store, a=NOISE, b=b"small")
    layout = asyncio.run(carrier.bring(first))
    blob = blob_path(layout, read_manifest(layout, first).layers[-1].digest)
    blob.write_bytes(bytes(blob.stat().st_size))
    session.sent.clear()

    second = baked(store, a=NOISE, b=b"other")
    asyncio.run(carrier.bring(second))

    assert session.sent[digest_bytes(NOISE)] == len(NOISE)
    assert digest_bytes(blob_path(layout, read_manifest(layout, second).layers[-1].digest).read_bytes()) in {
        layer.digest for layer in read_manifest(layout, second).layers
    }


def test_killed_in_the_middle_the_same_call_goes_on(store: LayoutStore, tmp_path: Path) -> None:
    image, home = baked(store, a=NOISE), tmp_path / "host"
    (home / "store" / "work" / "of-a-killed-call").mkdir(parents=True)
    (home / "store" / "work" / "of-a-killed-call" / "layer.tar").write_bytes(b"half")

    asyncio.run(SessionCarrier(CountingSession(), str(home), store).bring(image))

    assert not (home / "store" / "work").exists()
