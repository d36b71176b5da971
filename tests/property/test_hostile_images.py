"""Images from strangers: whatever their documents, layers and files are mutated into, reading them ends in a value or in a refusal."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.amount import amount

from vitrify.core.diagnostic import Denied, IntegrityFailed, UsageInvalid
from vitrify.core.digest import canonical, digest_bytes
from vitrify.core.reference import Reference
from vitrify.onhost.foreign import ForeignArchive
from vitrify.onhost.layer import Root
from vitrify.onhost.layout import Checked, Descriptor
from vitrify.onhost.untar import Archive
from vitrify.stores.archive import Archives
from vitrify.stores.layout import LayoutStore
from vitrify.stores.registry.challenge import challenges
from vitrify.stores.registry.documents import Platform, chosen, media_type, read_config, read_index, read_json, read_manifest
from vitrify.stores.registry.squeezed import Budget, Limit, opened, squeeze

N = amount("images", daily=150)
SLOW = N if N >= 1000 else 30
"""For parsers whose every try writes files."""

REFUSALS = (Denied, IntegrityFailed, UsageInvalid)
SMALL = Limit(size=1 << 20, free=1 << 16, ratio=50)
HEX = "0123456789abcdef"
D = "sha256:" + "ab" * 32
OCI = "application/vnd.oci.image"
ROW = {"digest": D, "mediaType": f"{OCI}.layer.v1.tar+gzip", "size": 12}
MANIFEST = canonical({"config": {**ROW, "mediaType": f"{OCI}.config.v1+json"}, "layers": [ROW, ROW], "schemaVersion": 2})
PLATFORM = {"architecture": "arm", "os": "linux", "variant": "v7"}
INDEX = canonical(
    {"manifests": [{**ROW, "platform": PLATFORM, "annotations": {"a": "b"}}], "mediaType": f"{OCI}.index.v1+json", "schemaVersion": 2}
)
CONFIG = canonical({"architecture": "amd64", "config": {}, "os": "linux", "rootfs": {"diff_ids": [D], "type": "layers"}})

Member = tuple[str, bytes, str]


def members() -> Iterator[Member]:
    yield "./", tarfile.DIRTYPE, ""
    yield "usr/bin/", tarfile.DIRTYPE, ""
    yield "usr/bin/tool", tarfile.REGTYPE, "x" * 700
    yield "bin", tarfile.SYMTYPE, "usr/bin"
    yield "bin/other", tarfile.LNKTYPE, "usr/bin/tool"
    yield "dev/null", tarfile.CHRTYPE, ""
    yield "etc/" + "long/" * 30 + "naïve", tarfile.REGTYPE, "y"
    yield "etc/.wh.gone", tarfile.REGTYPE, ""
    yield "usr/.wh..wh..opq", tarfile.REGTYPE, ""


def layer(form: int) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=form) as archive:
        for name, kind, more in members():
            entry = tarfile.TarInfo(name)
            entry.type, entry.uid, entry.mode = kind, 3_000_000 if form != tarfile.USTAR_FORMAT else 0, 0o4755
            content = more.encode() if kind == tarfile.REGTYPE else b""
            entry.linkname = more if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return held.getvalue()


LAYERS = (layer(tarfile.PAX_FORMAT), layer(tarfile.GNU_FORMAT))


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Flip, cut, double, swap and splice; a tar's checksums are often set right again, or nothing behind them would ever be read."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        at = chance.randrange(len(data) + 1)
        span = data[at : at + chance.choice((1, 8, 100, 512))]
        how = chance.randrange(7)
        if how == 0 and data:
            data[at % len(data)] ^= 1 << chance.randrange(8)
        elif how == 1:
            data[at:at] = span
        elif how == 2:
            del data[at : at + len(span)]
        elif how == 3:
            data[at : at + len(span)] = chance.choice(
                (b"../", b"/", b"\0", b"\xff", b"\x80" * 8, b"7" * 12, b"5 path=..\n", b"[" * 200, b"1e999")
            )
        elif how == 4:
            place = chance.randrange(len(data) + 1)
            data[place:place] = data[at : at + 512]
        elif how == 5 and chance.random() < 0.2:
            del data[at:]
        else:
            data[at : at + len(span)] = chance.randbytes(len(span))
    return bytes(data)


def mended(content: bytes) -> bytes:
    """The same blocks; those that look like headers with a right checksum."""
    data = bytearray(content)
    for at in range(0, len(data) - 511, 512):
        block = data[at : at + 512]
        if block[257:262] == b"ustar":
            rest = sum(block[:148]) + 256 + sum(block[156:])
            data[at + 148 : at + 156] = b"%06o\0 " % rest
    return bytes(data)


def survives(parse: Callable[[bytes], object], seed: bytes, chance: random.Random, *, mend: bool = False) -> int:
    """How many of N mutations were refused; anything but a value or a refusal fails."""
    told = [_refusal(parse, mutated(seed, chance), mend=mend and number % 4 > 0) for number in range(N)]
    assert max(map(len, told)) < 4000
    return sum(map(bool, told))


def _refusal(parse: Callable[[bytes], object], content: bytes, *, mend: bool) -> str:
    """What a refusal says; "" where there was none."""
    try:
        parse(mended(content) if mend else content)
    except REFUSALS as error:
        return str(error)
    return ""


@pytest.fixture
def chance() -> random.Random:
    return random.Random(20260203)  # noqa: S311  the same mutations in every run


def manifest_of(content: bytes) -> object:
    return read_manifest(content), media_type(read_json(content, "it"), "")


def index_of(content: bytes) -> object:
    return chosen(read_index(content), Platform("arm", "v7"))


def reference_of(content: bytes) -> object:
    found = Reference.parse(content.decode("utf-8", "replace"))
    assert Reference.parse(str(found)) == found
    assert ".." not in found.repository.split("/")
    return found


def read_to_the_end(archive: Archive | ForeignArchive) -> int:
    read = 0
    for member in archive.members():
        assert member.parts
        assert not {"", ".", ".."} & set(member.parts)
        read += sum(map(len, archive.content()))
    return read


def open_gzip(content: bytes) -> int:
    return sum(map(len, opened(io.BytesIO(content), form="gzip", budget=Budget(SMALL))))


def open_zstd(content: bytes) -> int:
    return sum(map(len, opened(io.BytesIO(content), form="zstd", budget=Budget(SMALL))))


def squeezed(content: bytes, *, form: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "plain").write_bytes(content)
        squeeze(Path(folder, "plain"), Path(folder, "squeezed"), form=form, saw=lambda _: None)
        return Path(folder, "squeezed").read_bytes()


DOCUMENTS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "manifest": (manifest_of, MANIFEST),
    "index": (index_of, INDEX),
    "config": (read_config, CONFIG),
    "reference": (reference_of, b"registry.example:5000/team/shop:1.4@" + D.encode()),
    "challenge": (
        lambda content: challenges(content.decode("latin-1")),
        b'Bearer realm="https://a.example/token",service="a",scope="repository:x:pull", Basic realm="b\\"c"',
    ),
    "gzip": (open_gzip, gzip.compress(LAYERS[0], mtime=0)),
    "zstd": (open_zstd, squeezed(LAYERS[0], form="zstd") * 2),
}


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_mutated_document_is_read_or_refused(name: str, chance: random.Random, record_property: Callable[[str, object], None]) -> None:
    parse, seed = DOCUMENTS[name]

    refused = survives(parse, seed, chance)

    record_property("figure", f"{name}: {refused} of {N} mutations refused")
    assert name == "challenge" or refused > N // 20


@pytest.mark.parametrize("form", [0, 1], ids=["pax", "gnu"])
def test_a_mutated_layer_is_read_or_refused_by_both_readers(form: int, chance: random.Random) -> None:
    def foreign(content: bytes) -> int:
        return read_to_the_end(ForeignArchive(io.BytesIO(content).read))

    def ours(content: bytes) -> int:
        return read_to_the_end(Archive(io.BytesIO(content).read))

    assert foreign(LAYERS[form]) > 0
    assert survives(foreign, LAYERS[form], chance, mend=True) > N // 10
    assert survives(ours, LAYERS[form], chance, mend=True) > N // 10


def blob_of(folder: Path, content: bytes) -> tuple[str, Descriptor]:
    digest = digest_bytes(content)
    path = folder / "blobs" / "sha256" / digest[7:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(folder), Descriptor("", digest, len(content))


def laid(folder: Path, content: bytes) -> None:
    blob = Checked(*blob_of(folder, content))
    inner = folder / "root"
    inner.mkdir()
    root = Root(str(inner), beneath=False)
    try:
        root.apply(blob, foreign=True)
        root.finish()
    finally:
        root.close()
        blob.close()


def test_a_mutated_layer_writes_nothing_outside_its_root(tmp_path: Path, chance: random.Random) -> None:
    canary = tmp_path / "canary"
    canary.write_text("untouched")
    for number in range(SLOW):
        folder = tmp_path / f"try{number}"
        escapes = f"{'../' * 3}canary", str(canary)
        content = LAYERS[number % 2].replace(b"usr/bin/tool", chance.choice(escapes).encode()[:12].ljust(12, b"\0"))
        with suppress(*REFUSALS):
            laid(folder, mended(mutated(content, chance)))
        assert {path.name for path in folder.iterdir()} == {"blobs", "root"}
        assert canary.read_text() == "untouched"
    assert {path.name for path in tmp_path.iterdir()} == {"canary", *(f"try{number}" for number in range(SLOW))}


def archive_of(blobs: dict[str, bytes], index: bytes) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, content in {**{f"blobs/sha256/{digest[7:]}": content for digest, content in blobs.items()}, "index.json": index}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return held.getvalue()


def image_archive() -> bytes:
    squeezed = gzip.compress(LAYERS[0], mtime=0)
    config = canonical({**json.loads(CONFIG), "rootfs": {"diff_ids": [digest_bytes(LAYERS[0])], "type": "layers"}})
    rows = [
        {"digest": digest_bytes(one), "mediaType": kind, "size": len(one)}
        for one, kind in ((squeezed, "layer.v1.tar+gzip"), (config, "config.v1+json"))
    ]
    named = [{**row, "mediaType": f"{OCI}.{row['mediaType']}"} for row in rows]
    manifest = canonical({"config": named[1], "layers": [named[0]], "mediaType": f"{OCI}.manifest.v1+json", "schemaVersion": 2})
    row = {"digest": digest_bytes(manifest), "mediaType": f"{OCI}.manifest.v1+json", "size": len(manifest)}
    blobs = {digest_bytes(one): one for one in (squeezed, config, manifest)}
    return archive_of(blobs, canonical({"manifests": [row], "schemaVersion": 2}))


def test_a_mutated_archive_of_an_image_is_loaded_or_refused(tmp_path: Path, chance: random.Random) -> None:
    whole = image_archive()
    carrier = tmp_path / "carried.tar"
    carrier.write_bytes(whole)
    good = LayoutStore(tmp_path / "good")
    expected = Archives(good, Platform("amd64"), Limit()).load(str(carrier))[0].digest
    store = LayoutStore(tmp_path / "store")
    for number in range(SLOW):
        carrier.write_bytes(mended(mutated(whole, chance)) if number % 2 else mutated(whole, chance))
        try:
            loaded = Archives(store, Platform("amd64"), SMALL).load(str(carrier))
        except REFUSALS:
            continue
        assert {image.digest for image in loaded} == {expected}
    assert set(store.images()) <= {expected}
    assert {path.name for path in tmp_path.iterdir()} == {"carried.tar", "good", "store"}
    assert not list((tmp_path / "store" / "work").iterdir())
