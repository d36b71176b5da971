from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vitrify.core.diagnostic import Denied, IntegrityFailed, UsageInvalid
from vitrify.core.digest import digest_bytes
from vitrify.core.elsewhere import Attachment
from vitrify.core.reference import Reference
from vitrify.onhost.layout import MANIFEST, Descriptor, attached
from vitrify.stores.archive import Archives
from vitrify.stores.layout import LayoutStore
from vitrify.stores.registry.attachments import artifact
from vitrify.stores.registry.documents import Platform
from vitrify.stores.registry.squeezed import Budget, Limit, opened, squeeze
from vitrify.testing.tiny_image import TinyFile, tiny_image

NAME = Reference.parse("registry.example/web:1")
NOTE = Attachment("text/plain", b"a note", {"day": "2"})


def archives(folder: Path, architecture: str = "amd64") -> Archives:
    return Archives(LayoutStore(folder), Platform(architecture), Limit())


@pytest.fixture
def image(tmp_path: Path) -> str:
    digest = tiny_image(tmp_path / "mine/oci", {"/etc/motd": TinyFile("hello")}, base="scratch")
    store, size = LayoutStore(tmp_path / "mine"), len((tmp_path / "mine/oci/blobs/sha256" / digest[7:]).read_bytes())
    store.attach(artifact("application/x-note", [NOTE], Descriptor(MANIFEST, digest, size)), [b"{}", NOTE.content])
    return digest


@pytest.fixture
def mine(tmp_path: Path) -> Archives:
    return archives(tmp_path / "mine")


@pytest.mark.parametrize("into", ["web.tar", "web.oci/"])
def test_what_was_exported_is_loaded_as_the_same_image_with_what_belongs_to_it(
    tmp_path: Path, mine: Archives, image: str, into: str
) -> None:
    size = mine.export(image, f"{tmp_path}/{into}", name=NAME, evidence=True)
    theirs = archives(tmp_path / "theirs")

    (loaded,) = theirs.load(f"{tmp_path}/{into}")

    assert loaded.digest == image
    assert size > 100
    assert [(one.type, dict(one.annotations)) for one in attached(theirs.store.folder(image), image)] == [
        ("application/x-note", {"day": "2"})
    ]


def test_the_same_image_is_the_same_file_and_says_its_name(tmp_path: Path, mine: Archives, image: str) -> None:
    for name in ("one.tar", "two.tar"):
        mine.export(image, str(tmp_path / name), name=NAME, evidence=False)

    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as archive:
        index = json.load(archive.extractfile("index.json") or io.BytesIO())
    (row,) = index["manifests"]
    assert row["annotations"] == {"io.containerd.image.name": str(NAME), "org.opencontainers.image.ref.name": str(NAME)}


def test_an_archive_that_is_compressed_as_a_whole_is_read(tmp_path: Path, mine: Archives, image: str) -> None:
    mine.export(image, str(tmp_path / "web.tar"), name=NAME, evidence=False)
    (tmp_path / "web.tar.gz").write_bytes(gzip.compress((tmp_path / "web.tar").read_bytes()))

    assert [one.digest for one in archives(tmp_path / "theirs").load(str(tmp_path / "web.tar.gz"))] == [image]


def test_what_is_there_is_not_written_over_and_nothing_is_left_half_written(tmp_path: Path, mine: Archives, image: str) -> None:
    (tmp_path / "there").mkdir()

    with pytest.raises(UsageInvalid, match="is there already"):
        mine.export(image, f"{tmp_path}/there/", name=NAME, evidence=False)
    with pytest.raises(UsageInvalid, match="cannot be written"):
        mine.export(image, f"{tmp_path}/nowhere/web.tar", name=NAME, evidence=False)

    assert {path.name for path in tmp_path.iterdir()} == {"mine", "there"}


def test_an_image_for_another_machine_is_not_loaded(tmp_path: Path, mine: Archives, image: str) -> None:
    mine.export(image, str(tmp_path / "web.tar"), name=NAME, evidence=False)

    with pytest.raises(Denied, match="is for linux/amd64"):
        archives(tmp_path / "theirs", "s390x").load(str(tmp_path / "web.tar"))


def test_what_is_no_image_is_told(tmp_path: Path, mine: Archives) -> None:
    with tarfile.open(tmp_path / "docker.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("manifest.json"))

    with pytest.raises(UsageInvalid, match="no file or folder"):
        mine.load(str(tmp_path / "absent.tar"))
    with pytest.raises(Denied, match="no index") as refused:
        mine.load(str(tmp_path / "docker.tar"))
    assert "skopeo" in refused.value.diagnostics[0].hint


def test_a_layer_of_another_content_is_refused(tmp_path: Path, mine: Archives, image: str) -> None:
    mine.export(image, f"{tmp_path}/web.oci/", name=NAME, evidence=False)
    largest = max((tmp_path / "web.oci/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes().replace(b"hello", b"hullo"))

    with pytest.raises(IntegrityFailed, match="something else"):
        archives(tmp_path / "theirs").load(f"{tmp_path}/web.oci")


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_a_compressed_form_is_the_same_bytes_each_time_and_opens_to_what_it_was(tmp_path: Path, form: str) -> None:
    content = b"".join(digest_bytes(b"%d" % number).encode() for number in range(3_000))
    (tmp_path / "plain").write_bytes(content)

    made = [squeeze(tmp_path / "plain", tmp_path / name, form=form, saw=lambda _: None) for name in ("one", "two")]

    assert made[0] == made[1]
    assert digest_bytes((tmp_path / "one").read_bytes()) == made[0].digest
    twice = io.BytesIO((tmp_path / "one").read_bytes() * 2)
    assert b"".join(opened(twice, form=form, budget=Budget(Limit()))) == content * 2


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_a_compressed_layer_that_ends_too_early_is_broken(tmp_path: Path, form: str) -> None:
    (tmp_path / "plain").write_bytes(b"x" * 100_000)
    squeeze(tmp_path / "plain", tmp_path / "squeezed", form=form, saw=lambda _: None)

    with pytest.raises(IntegrityFailed, match="too early"):
        drain(opened(io.BytesIO((tmp_path / "squeezed").read_bytes()[:-3]), form=form, budget=Budget(Limit())))


def drain(pieces: Iterator[bytes]) -> None:
    for _ in pieces:
        pass
