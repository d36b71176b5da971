"""Registries that lie, stall, break off, lead in circles or never end: told apart, and nothing of theirs is believed."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fake_registry import Handler, Shelves, endlessly, lying_registry, never, only, slowly
from vitrify.core.diagnostic import Denied, IntegrityFailed, TargetFailed, TargetUnreachable, VitrifyError
from vitrify.core.digest import canonical, digest_bytes
from vitrify.core.event import Event
from vitrify.core.reference import Reference
from vitrify.stores.layout import LayoutStore
from vitrify.stores.registry.client import Manner, RegistryClient
from vitrify.stores.registry.credentials import Credentials
from vitrify.stores.registry.pace import Pace
from vitrify.stores.registry.squeezed import Limit
from vitrify.testing.tiny_image import TinyFile, tiny_image

OCI = "application/vnd.oci.image"
LAYER = bytes(range(256)) * 4096 + bytes(1024)  # a megabyte that no reader of layers ever sees: it is checked as bytes
PACE = Pace(stall=0.5, tries=3, sleep=lambda _: None)


@dataclass
class Party:
    """A client with a store of its own, and the registry that it speaks with."""

    shelves: Shelves
    client: RegistryClient
    store: LayoutStore
    folder: Path

    @property
    def to(self) -> Reference:
        return Reference(self.shelves.address, "team/shop", "1")

    def refused(self, error: type[VitrifyError], match: str) -> str:
        """A pull ends so, and leaves neither an image nor a blob; returns what was told."""
        with pytest.raises(error, match=match) as told:
            self.client.pull(self.to)
        assert self.store.images() == ()
        assert not list(self.folder.glob("oci/blobs/sha256/*"))
        assert not list(self.folder.glob("work/*"))
        return str(told.value)


@pytest.fixture
def shelves() -> Iterator[Shelves]:
    with lying_registry() as found:
        yield found


def client_of(shelves: Shelves, folder: Path, *, pace: Pace = PACE, home: Path | None = None) -> Party:
    store = LayoutStore(folder)
    credentials = Credentials({"HOME": str(home or folder), "PATH": str(home or folder)})
    manner = Manner(chunk=256 << 10, pace=pace, limit=Limit(size=4 << 20, free=2 << 20, ratio=50))
    return Party(shelves, RegistryClient(store, folder, credentials, architecture="amd64", manner=manner), store, folder)


@pytest.fixture
def party(shelves: Shelves, tmp_path: Path) -> Party:
    offer(shelves)
    return client_of(shelves, tmp_path / "machine")


def offer(shelves: Shelves, layer: bytes = LAYER, *, form: str = "+gzip", said: str = "", annotations: dict[str, str] | None = None) -> str:
    """Put an image there, honest or not; returns its digest there."""
    squeezed = gzip.compress(layer, mtime=0) if form else layer
    rootfs = {"diff_ids": [said or digest_bytes(layer)], "type": "layers"}
    config = canonical({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs})
    rows = [
        {"digest": digest_bytes(content), "mediaType": f"{OCI}.{kind}", "size": len(content)}
        for content, kind in ((config, "config.v1+json"), (squeezed, f"layer.v1.tar{form}"))
    ]
    more = {"annotations": annotations} if annotations else {}
    manifest = canonical({"config": rows[0], "layers": [rows[1]], "mediaType": f"{OCI}.manifest.v1+json", "schemaVersion": 2, **more})
    shelves.blobs |= {digest_bytes(config): config, digest_bytes(squeezed): squeezed}
    for name in ("1", digest_bytes(manifest)):
        shelves.manifests[name] = (f"{OCI}.manifest.v1+json", manifest)
    return digest_bytes(squeezed)


def test_an_honest_one_is_believed(party: Party) -> None:
    pulled = party.client.pull(party.to)

    assert party.store.has(pulled.image.digest)
    assert not list(party.folder.glob("transfers/*.part"))


def of_another_name(handler: Handler) -> bool:
    return handler.answer(200, b"{}", Docker_Content_Digest="sha256:" + "0" * 64)


@pytest.mark.parametrize(
    ("rule", "error", "match"),
    [
        (only("/manifests/1", of_another_name), IntegrityFailed, "another manifest"),
        (only("/blobs/", lambda handler: handler.answer(200, bytes(len(handler.blob_asked_for)))), IntegrityFailed, "other bytes"),
        (only("/blobs/", endlessly), IntegrityFailed, "more than it may"),
        (only("/manifests/1", endlessly), IntegrityFailed, "more than it may"),
        (only("/manifests/1", lambda handler: handler.answer(302, Location=handler.path)), IntegrityFailed, "circles"),
        (only("/blobs/", lambda handler: handler.answer(307, Location=f"{handler.path}x")), IntegrityFailed, "circles"),
        (only("/manifests/1", lambda handler: handler.answer(302, Location="file:///etc/passwd")), Denied, "not followed"),
        (only("/manifests/1", lambda handler: handler.answer(302, Location="http://registry.example/x")), Denied, "without encryption"),
        (only("/manifests/1", lambda handler: handler.answer(302, Location="http://ann:pw@127.0.0.1/x")), Denied, "not followed"),
        (only("/blobs/", lambda handler: handler.answer(200, b"abc", Content_Encoding="gzip")), IntegrityFailed, "nobody asked for"),
        (only("/manifests/1", lambda handler: handler.drop()), TargetUnreachable, "broke off"),
        (only("/manifests/1", never), TargetUnreachable, "broke off"),
        (only("/manifests/1", lambda handler: handler.answer(500, b"<html>\x1b[31m")), TargetFailed, "failed"),
        (only("/manifests/1", lambda handler: handler.answer(401)), Denied, "not known here"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_dishonest_one_is_refused(party: Party, rule: Callable[[Handler], bool], error: type[VitrifyError], match: str) -> None:
    party.shelves.rules.append(rule)

    told = party.refused(error, match)

    assert "\x1b" not in told
    assert len(party.shelves.asked) < 40


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"[]", "not a JSON object"),
        (b'{"schemaVersion":2,"schemaVersion":2}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"schemaVersion":1,"fsLayers":[]}', "not read here"),
        (canonical({"schemaVersion": 2, "layers": [], "manifests": []}), "at once"),
        (canonical({"schemaVersion": 2, "layers": [{"digest": "sha256:../../x", "mediaType": "a", "size": 1}], "config": {}}), "blob"),
        (canonical({"schemaVersion": 2, "layers": [{}] * 501, "config": {}}), "more than 500"),
        (canonical({"schemaVersion": 2, "manifests": [{"digest": "sha256:" + "0" * 64, "mediaType": "a", "size": -1}]}), "size"),
    ],
    ids=str,
)
def test_a_malformed_document_is_refused(party: Party, content: bytes, match: str) -> None:
    party.shelves.manifests["1"] = ("application/octet-stream", content)

    with pytest.raises((IntegrityFailed, Denied), match=match):
        party.client.pull(party.to)


def test_a_layer_that_is_not_what_its_config_says_is_refused(party: Party) -> None:
    offer(party.shelves, said="sha256:" + "1" * 64)

    party.refused(IntegrityFailed, "something else")


def test_an_image_that_says_it_is_another_is_refused(party: Party) -> None:
    offer(party.shelves, annotations={"dev.vitrify.image": "sha256:" + "2" * 64})

    with pytest.raises(IntegrityFailed, match="not the one"):
        party.client.pull(party.to)
    assert party.store.images() == ()


def test_a_bomb_does_not_go_off(party: Party) -> None:
    offer(party.shelves, bytes(3 << 20))
    party.refused(Denied, "beyond all measure")

    offer(party.shelves, noise(5 << 20))
    party.refused(Denied, "larger than any image")


def test_what_came_before_it_broke_off_is_not_asked_for_again(party: Party) -> None:
    digest = offer(party.shelves, (LAYER[:5] + digest_bytes(LAYER).encode()) * 17, form="")
    size = len(party.shelves.blobs[digest])

    def half(handler: Handler) -> bool:
        handler.begin(Content_Length=str(size))
        handler.wfile.write(handler.shelves.blobs[digest][: size // 2])
        return handler.drop()

    party.shelves.rules.append(only(digest, half, times=1))

    assert party.store.has(party.client.pull(party.to).image.digest)
    assert party.shelves.paths("GET").count(f"/v2/team/shop/blobs/{digest}") == 2
    assert f"bytes={size // 2}-" in party.shelves.ranges


def test_one_that_knows_no_ranges_is_read_from_the_beginning(party: Party) -> None:
    digest = offer(party.shelves, LAYER, form="")
    part = party.folder / "transfers" / f"{digest[7:]}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(LAYER[:1000])
    party.shelves.rules.append(only(digest, lambda handler: handler.answer(200, handler.shelves.blobs[digest])))

    assert party.store.has(party.client.pull(party.to).image.digest)


@pytest.mark.parametrize("left", [b"y" * 1000, b"y" * (len(LAYER) + 5)], ids=["wrong", "longer"])
def test_what_an_earlier_command_left_is_not_believed(party: Party, left: bytes) -> None:
    digest = offer(party.shelves, LAYER, form="")
    part = party.folder / "transfers" / f"{digest[7:]}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(left)

    try:
        party.client.pull(party.to)
    except IntegrityFailed:
        assert not part.exists()
    assert party.store.has(party.client.pull(party.to).image.digest)


def test_a_trickle_is_not_waited_for(shelves: Shelves, tmp_path: Path) -> None:
    clock = iter(range(10**6))
    pace = Pace(stall=5, window=3, slowest=1000, tries=2, sleep=lambda _: None, monotonic=lambda: float(next(clock)))
    party = client_of(shelves, tmp_path / "machine", pace=pace)
    digest = offer(shelves, LAYER, form="")
    shelves.rules.append(only(digest, slowly(LAYER[:500], seconds=0.002)))

    party.refused(TargetUnreachable, "too slowly")


def test_one_that_is_busy_is_asked_again_after_as_long_as_it_says(shelves: Shelves, tmp_path: Path) -> None:
    waited: list[float] = []
    party = client_of(shelves, tmp_path / "machine", pace=Pace(stall=2, tries=4, longest=7, sleep=waited.append))
    offer(shelves)
    shelves.rules.append(only("/manifests/1", lambda handler: handler.answer(429, Retry_After="3"), times=1))
    shelves.rules.append(only("/manifests/1", lambda handler: handler.answer(503, Retry_After="86400"), times=1))
    shelves.rules.append(only("/manifests/1", lambda handler: handler.answer(502), times=1))

    party.client.pull(party.to)

    assert waited == [3, 7, 1]


def noise(size: int) -> bytes:
    """Bytes that no compressor makes much smaller, the same in each run."""
    return b"".join(digest_bytes(b"%d" % number)[7:].encode() for number in range(size // 64 + 1))[:size]


def pushable(party: Party) -> str:
    """An image in the party's store, large enough to go in chunks."""
    return tiny_image(party.folder / "oci", {"/noise": TinyFile(noise(1_300_000).decode())}, base="scratch")


def test_a_push_goes_on_after_a_chunk_was_lost(party: Party) -> None:
    image = pushable(party)
    party.shelves.rules.append(only("uploads", lambda handler: handler.drop(), method="PATCH", times=1))

    pushed = party.client.push(image, party.to)

    assert json.loads(party.shelves.manifests["1"][1])["annotations"] == {"dev.vitrify.image": image}
    assert set(party.shelves.blobs) > {layer["digest"] for layer in json.loads(party.shelves.manifests["1"][1])["layers"]}
    assert pushed.sent_blobs == 1


def test_one_that_takes_no_chunks_is_sent_the_whole(party: Party) -> None:
    image = pushable(party)
    party.shelves.rules.append(only("uploads", lambda handler: handler.answer(405), method="PATCH"))

    party.client.push(image, party.to)

    assert json.loads(party.shelves.manifests["1"][1])["annotations"] == {"dev.vitrify.image": image}


def test_one_that_counts_other_bytes_than_it_was_sent_is_refused(party: Party) -> None:
    image = pushable(party)
    rule = only("uploads", lambda handler: handler.answer(202, Location=handler.path, Range="0-99999999"), method="PATCH")
    party.shelves.rules.append(rule)

    with pytest.raises(IntegrityFailed, match="counts other bytes"):
        party.client.push(image, party.to)


def test_a_push_is_not_led_elsewhere(party: Party) -> None:
    image = pushable(party)
    with lying_registry() as elsewhere:
        party.shelves.rules.append(
            only("/manifests/1", lambda handler: handler.answer(301, Location=f"http://{elsewhere.address}/"), method="PUT")
        )

        with pytest.raises(IntegrityFailed, match="circles"):
            party.client.push(image, party.to)
        assert elsewhere.asked == []


def test_progress_is_told_while_a_push_goes_on(party: Party) -> None:
    told: list[Event] = []

    party.client.push(pushable(party), party.to, emit=told.append)

    assert [(event.what, event.detail) for event in told if event.what == "push.blob"] == [("push.blob", "sent")]


def test_what_nobody_went_on_with_for_a_week_is_cleared_away(party: Party) -> None:
    old, new = (party.folder / "transfers" / f"{name * 64}.part" for name in "ab")
    old.parent.mkdir(parents=True)
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))

    party.client.pull(party.to)

    assert not old.exists()
    assert new.exists()
