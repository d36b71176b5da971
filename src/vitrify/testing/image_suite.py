"""What every Builder and every ImageStore promises, as tests. An adapter is done when a subclass of these suites passes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from vitrify.core.declaration import Content
from vitrify.core.diagnostic import DeclarationInvalid, Denied, UsageInvalid, VitrifyError
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.event import Event
from vitrify.core.resource import Address, Resource
from vitrify.ports import BakeRequest, Builder, ImageStore

NewBuilder = Callable[[], Builder]
"""A builder that shares nothing with the ones before it."""

Based = tuple[Builder, str, Callable[[str], None]]
"""A builder, a base that it packs, and a hand that writes a text into that base."""

Stocked = tuple[ImageStore, str]
"""A store, and the one image in it."""

CONTENTS = (b"one\n", b"two\n")


def a_file(name: str, content: bytes, *, secret: bool = False) -> JSONObject:
    """A resource as it travels."""
    fields: JSONObject = {"path": f"/{name}", "content": digest_bytes(content)}
    return Resource(Address("file", f"/{name}"), fields, secret=secret).to_json()


def a_request(*resources: JSONObject) -> BakeRequest:
    """Two files, or what is given."""
    held = {digest_bytes(content): Content(data=content) for content in CONTENTS}
    wishes = resources or tuple(a_file(name, content) for name, content in zip("ab", CONTENTS, strict=True))
    return BakeRequest("web", "scratch", wishes, held, {"project": "shop", "server": "web"})


def a_process() -> JSONObject:
    """A process with a secret in its environment."""
    env: JSON = {"MODE": "production", "KEY": "secret:api_key"}
    return Resource(Address("process", "web"), {"name": "web", "command": ["/web"], "env": env}).to_json()


class BuilderSuite:
    """Subclass it, and give it the fixtures `new` of type `NewBuilder` and `based` of type `Based`."""

    def test_equal_requests_give_equal_images_wherever_they_are_baked(self, new: NewBuilder) -> None:
        wanted = a_request()
        labels, contents = list(wanted.labels.items()), list(wanted.contents.items())
        backwards = replace(wanted, labels=dict(labels[::-1]), contents=dict(contents[::-1]))

        assert asyncio.run(new().bake(wanted)) == asyncio.run(new().bake(backwards))

    def test_baking_again_gives_the_image_that_is_here(self, new: NewBuilder) -> None:
        builder = new()
        assert asyncio.run(builder.bake(a_request())) == asyncio.run(builder.bake(a_request()))

    def test_what_was_chosen_upon_a_base_can_be_baked_upon_it_and_upon_no_other(self, new: NewBuilder) -> None:
        builder = new()
        chosen = asyncio.run(builder.choose(a_request()))
        assert chosen.inputs.base == "scratch"
        assert asyncio.run(builder.choose_base(a_request())) is None
        assert asyncio.run(builder.offers(a_request(), ["nobody-offers-this"])) == ()

        wanted = replace(a_request(), inputs=chosen.inputs)
        assert asyncio.run(builder.bake(wanted)) == asyncio.run(builder.bake(wanted))
        with pytest.raises(DeclarationInvalid, match="host"):
            asyncio.run(builder.bake(replace(wanted, inputs=replace(chosen.inputs, base="host"))))

    def test_several_bakes_at_once_give_one_image(self, new: NewBuilder) -> None:
        builder = new()

        async def many() -> set[str]:
            return {image.digest for image in await asyncio.gather(*(builder.bake(a_request()) for _ in range(3)))}

        assert len(asyncio.run(many())) == 1

    def test_another_content_or_label_is_another_image(self, new: NewBuilder) -> None:
        builder, wanted = new(), a_request()
        others = [a_request(a_file("a", CONTENTS[1])), a_request(a_process()), replace(wanted, labels={"project": "other"})]

        digests = {asyncio.run(builder.bake(request)).digest for request in [wanted, *others]}

        assert len(digests) == 4

    def test_a_secret_value_never_enters_an_image(self, new: NewBuilder) -> None:
        with pytest.raises(Denied, match="/a"):
            asyncio.run(new().bake(a_request(a_file("a", CONTENTS[0], secret=True))))

    def test_of_secret_variables_an_image_tells_no_more_than_names(self, new: NewBuilder) -> None:
        image = asyncio.run(new().bake(a_request(a_process())))
        assert image.config["Env"] == ["MODE=production"]
        assert "secret:" not in json.dumps(image.config)

    def test_a_bake_tells_that_it_began_and_what_came_of_it(self, new: NewBuilder) -> None:
        told: list[Event] = []
        image = asyncio.run(new().bake(a_request(), emit=told.append))
        assert (told[0].what, told[-1].what) == ("bake.start", "bake.done")
        assert told[-1].data["image"] == image.digest

    def test_a_base_that_was_baked_upon_is_known_by_its_layer_and_an_unknown_one_by_its_look(self, based: Based) -> None:
        builder, base, _ = based
        before = asyncio.run(builder.ground(base))
        image = asyncio.run(builder.bake(replace(a_request(), base=base)))
        after = asyncio.run(builder.ground(base))

        assert before is not None
        assert after is not None
        assert (before.layer, after.seen) == ("", before.seen)
        assert after.layer in str(image.config["Labels"])

    def test_a_base_that_changed_looks_otherwise_and_is_not_packed_yet(self, based: Based) -> None:
        builder, base, write = based
        asyncio.run(builder.bake(replace(a_request(), base=base)))
        before = asyncio.run(builder.ground(base))
        write("another text")
        after = asyncio.run(builder.ground(base))

        assert before is not None
        assert after is not None
        assert (before.seen != after.seen, after.layer) == (True, "")

    def test_of_what_is_not_packed_there_is_no_ground(self, new: NewBuilder) -> None:
        assert asyncio.run(new().ground("scratch")) is None
        assert asyncio.run(new().ground("host")) is None

    def test_a_base_that_is_not_there_is_refused(self, new: NewBuilder) -> None:
        with pytest.raises(UsageInvalid, match="nowhere"):
            asyncio.run(new().ground("rootfs:/nowhere"))


class ImageStoreSuite:
    """Subclass it, and give it a fixture `stocked` of type `Stocked`."""

    def test_an_image_that_was_published_is_here(self, stocked: Stocked) -> None:
        store, image = stocked
        assert store.has(image)
        assert store.folder(image)

    def test_an_image_that_never_was_is_told_with_what_to_do(self, stocked: Stocked) -> None:
        store, _ = stocked
        absent = "sha256:" + "0" * 64
        assert not store.has(absent)
        with pytest.raises(VitrifyError, match=absent) as missing:
            store.folder(absent)
        assert "bake" in missing.value.diagnostics[0].hint

    def test_a_name_that_is_no_digest_is_no_image(self, stocked: Stocked) -> None:
        store, _ = stocked
        assert not any(store.has(name) for name in ("", "latest", "../../etc/passwd", "sha256:" + "/" * 64))
