from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest

from vitrify.builders.manifest import Process, documents
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import digest_bytes
from vitrify.onhost.layout import LAYER, Descriptor
from vitrify.ports import Image
from vitrify.stores.layout import LayoutStore


def published(store: LayoutStore, content: bytes) -> Image:
    digest = digest_bytes(content)
    with store.work() as work:
        (work / "layer").write_bytes(content)
        store.adopt(work / "layer", digest=digest)
    made = documents(Process(), layers=[Descriptor(LAYER, digest, len(content))], labels={}, architecture="amd64")
    return store.publish(made.config, made.manifest)


def test_the_layout_is_a_plain_oci_layout(tmp_path: Path) -> None:
    image = published(LayoutStore(tmp_path), b"layer")

    index = json.loads((tmp_path / "oci" / "index.json").read_bytes())
    assert json.loads((tmp_path / "oci" / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert [entry["digest"] for entry in index["manifests"]] == [image.digest]
    assert all(digest_bytes(blob.read_bytes())[7:] == blob.name for blob in (tmp_path / "oci" / "blobs" / "sha256").iterdir())


def test_the_index_does_not_tell_in_which_order_images_came(tmp_path: Path) -> None:
    here, there = LayoutStore(tmp_path / "here"), LayoutStore(tmp_path / "there")

    for store, contents in ((here, (b"one", b"two")), (there, (b"two", b"one", b"two"))):
        for content in contents:
            published(store, content)

    assert (tmp_path / "here/oci/index.json").read_bytes() == (tmp_path / "there/oci/index.json").read_bytes()


def test_an_image_that_is_not_here_is_told_with_what_helps(tmp_path: Path) -> None:
    with pytest.raises(VitrifyError, match="is not here") as missing:
        LayoutStore(tmp_path).folder("sha256:" + "0" * 64)

    assert "bake" in missing.value.diagnostics[0].hint


def test_a_name_that_is_no_digest_is_no_image(tmp_path: Path) -> None:
    assert not LayoutStore(tmp_path).has("../../etc/passwd")


def test_an_image_with_a_shortened_layer_is_not_whole(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    image = published(store, b"layer")

    (tmp_path / "oci" / "blobs" / "sha256" / digest_bytes(b"layer")[7:]).write_bytes(b"lay")

    assert not store.has(image.digest)


def test_the_work_of_a_dead_process_is_cleared_and_that_of_a_living_one_kept(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    dead, living = tmp_path / "work" / "dead", tmp_path / "work" / "living"
    for place in (dead / "upper" / "locked", living / "upper"):
        place.mkdir(parents=True)
    (dead / "upper" / "locked").chmod(0)
    held = os.open(living, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)

    with store.work() as mine:
        left = {place.name for place in (tmp_path / "work").iterdir()}
    os.close(held)

    assert left == {"living", mine.name}
    assert not mine.exists()


def test_two_works_at_once_do_not_meet(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)

    with store.work() as one, store.work() as other:
        assert one != other
        assert one.is_dir()


def test_what_was_remembered_is_recalled_and_damage_is_forgotten(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    store.remember("bakes", "sha256:ab", {"image": "x"})

    assert store.recall("bakes", "sha256:ab") == {"image": "x"}
    (tmp_path / "cache" / "bakes" / "ab.json").write_text("{")
    assert store.recall("bakes", "sha256:ab") is None
    assert store.recall("bakes", "sha256:cd") is None
