"""Images leave and come in; the ledger is told, and what cannot stand by itself stays."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from bench import Bench, do

from vitrify.core.diagnostic import Denied, TargetFailed, UsageInvalid
from vitrify.core.reference import Reference
from vitrify.lifecycle import images
from vitrify.lifecycle.images import Stock, Wrapping
from vitrify.ports import BakeRequest, Image
from vitrify.testing.memory_images import MemoryImages
from vitrify.testing.memory_registry import MemoryRegistry

TO = Reference.parse("registry.example/team/web:1.4")


@dataclass
class Shed:
    """Files with images in them, in memory."""

    shelf: MemoryImages
    names: list[str]

    def export(self, image: str, into: str, *, name: Reference, evidence: bool) -> int:
        self.names.append(f"{into} {name} {evidence}")
        return 7

    def load(self, source: str) -> tuple[Image, ...]:
        return tuple(found for digest in self.shelf.images() if (found := self.shelf.image(digest)))


def stocked(bench: Bench, *, base: str = "scratch") -> tuple[Stock, str]:
    shelf = MemoryImages()
    image = do(shelf.bake(BakeRequest("web", base, (), {}, {"dev.vitrify.server": "web"})))
    bench.ledger.append("bake.done", {"server": "web", "image": image.digest})
    return Stock(shelf, MemoryRegistry(shelf), Shed(shelf, []), lambda digest: (f"name of {digest[:12]}",)), image.digest


@pytest.fixture
def bench() -> Bench:
    return Bench()


def kinds(bench: Bench) -> list[str]:
    return [entry.kind for entry in bench.ledger.entries()][1:]


@pytest.mark.parametrize("what", ["web", "", "sha256:"])
def test_a_push_is_intended_done_and_told(bench: Bench, what: str) -> None:
    stock, image = stocked(bench)
    named = what if what == "web" else image if what else image.removeprefix("sha256:")[:8]

    moved = images.push(named, TO, stock, bench.world)

    assert (moved.image, moved.place) == (image, str(TO))
    assert kinds(bench) == ["image.push.intended", "image.pushed"]
    body = list(bench.ledger.entries())[-1].body
    assert (body["image"], body["reference"], body["manifest"], body["server"]) == (image, str(TO), moved.manifest, "web")


def test_a_push_that_fails_is_told_too(bench: Bench) -> None:
    stock, _ = stocked(bench)

    with pytest.raises(UsageInvalid, match="no tag"):
        images.push("web", Reference.parse("registry.example/team/web"), stock, bench.world)

    assert kinds(bench) == ["image.push.intended", "image.push.failed"]


def test_an_image_on_the_running_system_stays_where_it_is(bench: Bench) -> None:
    stock, _ = stocked(bench, base="host")

    with pytest.raises(Denied, match="running system") as refused:
        images.push("web", TO, stock, bench.world)
    with pytest.raises(Denied, match="running system"):
        images.export("web", Wrapping("web.tar"), stock, bench.world)

    assert "base" in refused.value.diagnostics[0].hint
    assert kinds(bench) == []


@pytest.mark.parametrize("what", ["db", "sha256:ffffffffffff", "ffffffffffff", "sha256:1"])
def test_an_image_that_is_not_here_is_told_with_what_to_do(bench: Bench, what: str) -> None:
    stock, _ = stocked(bench)

    with pytest.raises(UsageInvalid) as refused:
        images.push(what, TO, stock, bench.world)

    assert "vitrify images" in refused.value.diagnostics[0].hint


def test_what_was_pulled_is_here_and_told(bench: Bench) -> None:
    stock, image = stocked(bench)
    images.push("web", TO, stock, bench.world)

    moved = images.pull(TO, stock, bench.world)

    assert moved.image == image
    assert kinds(bench)[-1] == "image.pulled"
    with pytest.raises(TargetFailed):
        images.pull(Reference.parse("registry.example/none"), stock, bench.world)


def test_an_image_is_exported_under_a_name_and_loaded(bench: Bench) -> None:
    stock, image = stocked(bench)

    images.export("web", Wrapping("web.tar"), stock, bench.world)
    images.export("web", Wrapping("web.oci/", TO, evidence=True), stock, bench.world)
    loaded = images.load("web.tar", stock, bench.world)

    assert isinstance(stock.carrier, Shed)
    assert stock.carrier.names == [f"web.tar localhost/web:{image[7:19]} False", f"web.oci/ {TO} True"]
    assert [one.image for one in loaded] == [image]
    assert kinds(bench) == ["image.exported", "image.exported", "image.loaded"]


def test_images_are_listed_with_their_names(bench: Bench) -> None:
    stock, image = stocked(bench)

    (row,) = images.images(stock, bench.world)

    assert (row.image, row.base, row.server, row.releases, row.names) == (image, "scratch", "web", (), (f"name of {image[:12]}",))
