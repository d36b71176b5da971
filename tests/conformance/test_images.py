"""The OCI builder and its store on disk keep the promises that their twins in memory keep."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path

import pytest

from vitrify.builders.oci import OciBuilder, Sources
from vitrify.builders.supplies import Supplies
from vitrify.stores.layout import LayoutStore
from vitrify.testing.image_suite import Based, BuilderSuite, ImageStoreSuite, NewBuilder, Stocked, a_request
from vitrify.testing.memory_images import MemoryImages
from vitrify.testing.memory_session import MemorySession


class TestMemoryBuilder(BuilderSuite):
    @pytest.fixture
    def new(self) -> NewBuilder:
        return MemoryImages

    @pytest.fixture
    def based(self) -> Based:
        images = MemoryImages()
        images.folders["rootfs:/base"] = "a text"
        return images, "rootfs:/base", lambda text: images.folders.update({"rootfs:/base": text})


class TestOciBuilder(BuilderSuite):
    @pytest.fixture
    def new(self, tmp_path: Path) -> NewBuilder:
        numbers = count()
        return lambda: _oci(tmp_path / f"store{next(numbers)}")

    @pytest.fixture
    def based(self, tmp_path: Path) -> Based:
        file = tmp_path / "base" / "file"
        file.parent.mkdir()
        file.write_text("a text")
        return OciBuilder(MemorySession(), LayoutStore(tmp_path / "store")), f"rootfs:{file.parent}", lambda text: _write(file, text)


class TestMemoryImageStore(ImageStoreSuite):
    @pytest.fixture
    def stocked(self) -> Stocked:
        images = MemoryImages()
        return images, asyncio.run(images.bake(a_request())).digest


class TestLayoutStore(ImageStoreSuite):
    @pytest.fixture
    def stocked(self, tmp_path: Path) -> Stocked:
        store = LayoutStore(tmp_path)
        return store, asyncio.run(OciBuilder(MemorySession(), store).bake(a_request())).digest


def _oci(folder: Path) -> OciBuilder:
    return OciBuilder(MemorySession(), LayoutStore(folder), sources=Sources(Supplies(folder / "supplies")))


def _write(file: Path, text: str) -> None:
    file.write_text(text)
