"""What nothing needs leaves a store, whole or not at all, and never what is needed: whoever is at work and whatever is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from vitrify.builders.manifest import Process, documents
from vitrify.core.diagnostic import Busy, IntegrityFailed
from vitrify.core.digest import JSONObject, canonical, digest_bytes
from vitrify.core.retention import Needs, Pin, Use
from vitrify.onhost.dropping import names
from vitrify.onhost.freezing import freeze, is_frozen
from vitrify.onhost.layout import LAYER, Descriptor, attached, blob_path, listed
from vitrify.stores.collecting import Storage
from vitrify.stores.layout import LayoutStore


class Killed(BaseException):
    """Stands for the end of the process."""


@dataclass
class Shop:
    """A store with images that share a base, and what releases say of them."""

    folder: Path
    uses: list[Use] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = LayoutStore(self.folder)
        self.storage = Storage(self.store, self.folder, lambda: Needs(tuple(self.uses)))

    def layer(self, content: bytes) -> Descriptor:
        with self.store.work() as work:
            (work / "layer").write_bytes(content)
            self.store.adopt(work / "layer", digest=digest_bytes(content))
        return Descriptor(LAYER, digest_bytes(content), len(content))

    def image(self, name: str, state: str = "", *, open: bool = False) -> str:  # noqa: A002  the word of `Use`
        layers = [self.layer(b"base"), self.layer(name.encode())]
        made = documents(Process(), layers=layers, labels={"name": name}, architecture="amd64")
        digest = self.store.publish(made.config, made.manifest).digest
        self.store.remember("bakes", digest_bytes(name.encode()), {"image": digest})
        self.certify(digest, name)
        if state:
            self.uses.append(Use(digest, "web", len(self.uses) + 1, state, open=open))
        return digest

    def certify(self, image: str, name: str) -> None:
        said = f"about {name}".encode()
        subject: JSONObject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": image, "size": 1}
        config: JSONObject = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_bytes(b"{}"), "size": 2}
        row: JSONObject = {"mediaType": "text/plain", "digest": digest_bytes(said), "size": len(said)}
        manifest: JSONObject = {"schemaVersion": 2, "artifactType": "text/plain", "subject": subject, "config": config, "layers": [row]}
        self.store.attach(canonical(manifest), [b"{}", said])

    def collect(self, *, unreleased: bool = False) -> tuple[str, ...]:
        return self.storage.collect(dry_run=False, unreleased=unreleased).images

    def blobs(self) -> set[str]:
        return {path.name for path in (self.folder / "oci/blobs/sha256").iterdir()}

    def is_sound(self, *images: str) -> bool:
        """Whether everything in the index is whole, and these images are in it with what was said of them."""
        layout = self.store.layout
        whole = all(self.store.has(digest) for digest in self.store.images())
        return whole and all(image in listed(layout) and attached(layout, image) for image in images)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_what_releases_are_done_with_goes_with_its_own_layers_its_evidence_and_its_notes(shop: Shop) -> None:
    live = shop.image("live", "live")
    before = shop.blobs()
    old = shop.image("old", "discarded")
    ill = shop.image("ill", "aborted")

    collected = shop.storage.collect(dry_run=False)

    assert {old, ill} == set(collected.images)
    assert shop.blobs() == before
    assert shop.is_sound(live)
    assert [note["image"] for _, note in shop.store.notes("bakes")] == [live]
    assert collected.size > 0
    assert shop.storage.collect(dry_run=False).nothing


@pytest.mark.parametrize("state", ["prepared", "live", "warm", "stopped"])
def test_what_a_release_may_yet_need_stays(shop: Shop, state: str) -> None:
    image = shop.image("one", state)
    shop.uses.append(Use(image, "web", 9, "discarded"))

    assert not shop.collect(unreleased=True)
    assert shop.is_sound(image)


def test_the_image_of_an_unfinished_rollback_stays_whatever_its_release_says(shop: Shop) -> None:
    image = shop.image("one", "discarded", open=True)

    assert not shop.collect()
    assert shop.is_sound(image)


def test_what_another_project_of_this_machine_runs_stays(shop: Shop) -> None:
    image = shop.image("one", "discarded")
    shop.uses.append(Use(image, "web", 1, "live", project="another"))

    assert not shop.collect()


def test_a_pinned_image_stays_until_nobody_pins_it(shop: Shop) -> None:
    image = shop.image("one", "discarded")
    pins = [Pin(image, "an audit", "ada", 1.0, project=project) for project in ("here", "there")]
    for pin in pins:
        shop.storage.pin(pin)

    shop.storage.unpin(pins[0])

    assert not shop.collect()
    shop.storage.unpin(pins[1])
    assert image in shop.collect()


def test_an_image_that_is_pinned_until_a_date_is_written_once_and_goes_when_nothing_needs_it(shop: Shop) -> None:
    image = shop.image("one", "discarded")
    pin = Pin(image, "the law", "ada", 1.0, until=2_000_000_000.0, project="here")
    shop.storage.pin(pin)
    blobs = [blob_path(shop.store.layout, digest) for digest in names(shop.store.layout, image)]

    assert shop.image("one") == image  # baking it again writes nothing
    assert not shop.collect(unreleased=True)
    for blob in blobs:
        if is_frozen(blob):  # as the file system and our rights allow
            with pytest.raises(PermissionError):
                blob.unlink()
        else:
            assert not freeze(blob)
    assert len(shop.storage.pins.all()) == 1
    shop.storage.unpin(pin)

    assert image in shop.collect()
    assert not any(blob.exists() for blob in blobs)


def test_a_pin_that_cannot_be_read_stops_everything(shop: Shop) -> None:
    image = shop.image("one", "discarded")
    shop.storage.pin(Pin(image, "an audit", "ada", 1.0, project="here"))
    next(shop.folder.glob("pins/*/*.json")).write_bytes(b"{")

    with pytest.raises(IntegrityFailed):
        shop.collect()

    assert shop.is_sound(image)


def test_what_never_had_a_release_goes_only_on_request(shop: Shop) -> None:
    image = shop.image("pulled")

    assert not shop.collect()
    assert image in shop.collect(unreleased=True)
    assert not shop.blobs()


def test_a_dry_run_tells_what_would_go_and_touches_nothing(shop: Shop) -> None:
    shop.image("one", "live")
    shop.image("old", "discarded")
    before = shop.blobs()

    told = shop.storage.collect(dry_run=True)

    assert shop.blobs() == before
    assert told == shop.storage.collect(dry_run=False)


def test_compressed_forms_of_layers_that_are_gone_go_too(shop: Shop) -> None:
    shop.image("one", "live")
    shop.image("old", "discarded")
    forms = {name: shop.folder / "compressed" / digest_bytes(name.encode() * 2)[7:] for name in ("one", "old")}
    (shop.folder / "compressed").mkdir()
    for name, file in forms.items():
        file.write_bytes(b"squeezed")
        shop.store.remember("forms", digest_bytes(name.encode()), {"forms": [{"digest": f"sha256:{file.name}"}]})

    shop.collect()

    assert forms["one"].exists()
    assert not forms["old"].exists()
    assert len(list(shop.store.notes("forms"))) == 1


def test_layers_of_a_bake_that_was_killed_go(shop: Shop) -> None:
    live = shop.image("one", "live")
    lost = shop.layer(b"of nobody")

    shop.collect()

    assert not shop.store.holds(lost)
    assert shop.is_sound(live)


def test_nothing_leaves_while_somebody_is_baking(shop: Shop) -> None:
    with shop.store.using():
        fresh = shop.layer(b"not yet in an image")

        with pytest.raises(Busy):
            shop.collect()

        assert shop.store.holds(fresh)


def test_collecting_races_a_release_of_a_discarded_image_and_the_release_keeps_it(shop: Shop) -> None:
    image = shop.image("one", "discarded")

    with shop.store.using():  # as a bake does that finds its image known
        assert shop.store.has(image)
        with pytest.raises(Busy):
            shop.collect()
        shop.uses.append(Use(image, "web", 2, "prepared"))

    assert not shop.collect()
    assert shop.is_sound(image)


def test_collecting_while_a_rollback_is_under_way_leaves_it_its_image(shop: Shop) -> None:
    target, live = shop.image("one", "stopped"), shop.image("two", "live")
    old = shop.image("nil", "discarded")
    read = shop.storage.projects

    def meanwhile() -> Needs:
        needs = read()  # what the collection goes by; then the rollback begins, and is done, before anything is removed
        shop.uses[0] = Use(target, "web", 1, "live")
        shop.uses[1] = Use(live, "web", 2, "warm")
        return needs

    Storage(shop.store, shop.folder, meanwhile).collect(dry_run=False)

    assert shop.is_sound(target, live)
    assert not shop.store.has(old)


def killed_at(number: int) -> Callable[[Path], None]:
    left = [number]

    def done(_: Path) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed

    return done


@contextmanager
def until_it_ends() -> Iterator[list[bool]]:
    """Says whether the process was killed inside."""
    ended = [False]
    try:
        yield ended
    except Killed:
        ended[0] = True


def test_a_collection_that_is_killed_at_any_step_leaves_a_sound_store_and_is_ended_by_the_next(tmp_path: Path) -> None:
    steps = 0
    while True:
        shop = Shop(tmp_path / str(steps))
        live, old = shop.image("live", "live"), shop.image("old", "discarded")
        steps += 1
        with until_it_ends() as killed:
            shop.storage.collect(dry_run=False, done=killed_at(steps))

        assert shop.is_sound(live)
        shop.collect()
        assert shop.is_sound(live)
        assert not shop.store.has(old)
        assert shop.blobs() == {path.name for path in _named(shop, live)}
        if not killed[0]:
            break

    assert steps > 6


def _named(shop: Shop, image: str) -> set[Path]:
    other = Shop(shop.folder / "other")
    assert other.image("live") == image
    return set((shop.folder / "other/oci/blobs/sha256").iterdir())


def test_an_image_that_a_killed_collection_took_off_the_index_and_that_is_needed_again_stands_there_again(shop: Shop) -> None:
    image = shop.image("one", "discarded")
    with pytest.raises(Killed):
        shop.storage.collect(dry_run=False, done=killed_at(1))
    assert shop.store.has(image)  # so the next bake finds it, and a release begins
    assert image not in shop.store.images()
    shop.uses.append(Use(image, "web", 2, "live"))

    shop.collect()

    assert image in shop.store.images()
    assert shop.store.has(image)


def test_where_something_that_stays_cannot_be_read_nothing_is_removed(shop: Shop) -> None:
    live, old = shop.image("live", "live"), shop.image("old", "discarded")
    blob_path(shop.store.layout, live).write_bytes(b"{}")

    with pytest.raises(IntegrityFailed):
        shop.collect()

    assert shop.store.has(old)
