"""The client keeps the promises of its port with a real registry, and its twin in memory keeps the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from registries import Served, lacking, registry
from vitrify.builders.oci import Means, OciBuilder
from vitrify.core.reference import Reference
from vitrify.stores.layout import LayoutStore
from vitrify.stores.registry.client import Manner, RegistryClient
from vitrify.stores.registry.credentials import Credentials
from vitrify.testing.image_suite import a_request
from vitrify.testing.memory_images import MemoryImages
from vitrify.testing.memory_registry import MemoryRegistry
from vitrify.testing.memory_session import MemorySession
from vitrify.testing.registry_suite import Parties, Party, RegistrySuite

REPOSITORIES = count()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    if reason := lacking():
        pytest.skip(reason)
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


class TestMemoryRegistry(RegistrySuite):
    @pytest.fixture
    def parties(self) -> Parties:
        images = MemoryImages()
        image = asyncio.run(images.bake(a_request())).digest
        mine = MemoryRegistry(images)

        def another() -> Party:
            others = MemoryImages()
            return MemoryRegistry(others, mine.elsewhere), others.image

        return Parties((mine, images.image), image, another, Reference.parse("registry.example/team/shop:1"))


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
class TestRegistryClient(RegistrySuite):
    @pytest.fixture
    def parties(self, served: Served, tmp_path: Path, compression: str) -> Parties:
        numbers = count()

        def machine() -> tuple[RegistryClient, LayoutStore]:
            folder = tmp_path / f"machine{next(numbers)}"
            store, manner = LayoutStore(folder), Manner(compression=compression)
            return RegistryClient(store, folder, Credentials({"HOME": str(tmp_path)}), architecture="amd64", manner=manner), store

        def another() -> Party:
            client, store = machine()
            return client, store.image

        client, store = machine()
        image = asyncio.run(OciBuilder(MemorySession(), store, means=Means(machine="x86_64")).bake(a_request())).digest
        return Parties((client, store.image), image, another, Reference(served.address, f"team/shop{next(REPOSITORIES)}", "1"))
