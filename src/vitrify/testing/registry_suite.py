"""What every Registry promises, as tests. An adapter is done when a subclass of this suite passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from vitrify.core.diagnostic import IntegrityFailed, TargetFailed, UsageInvalid
from vitrify.core.elsewhere import Attachment
from vitrify.core.reference import Reference
from vitrify.ports import Image, Registry

Look = Callable[[str], Image | None]
Party = tuple[Registry, Look]
"""A way to registries, and a look into the store that it pushes from and pulls to."""


@dataclass(frozen=True)
class Parties:
    """Who pushed `image` can, and a way to make others, whose stores are empty. `to` is a tag that nobody has pushed to."""

    mine: Party
    image: str
    another: Callable[[], Party]
    to: Reference

    def pushed(self) -> Reference:
        """Where the image is, by digest, after it was pushed."""
        return self.to.at(self.mine[0].push(self.image, self.to).manifest)


NOTE = Attachment("text/plain", b"baked on a Tuesday", {"org.example.day": "2"})


class RegistrySuite:
    """Subclass it, and give it a fixture `parties` of type `Parties`."""

    def test_what_was_pushed_is_pulled_elsewhere_as_the_same_image(self, parties: Parties) -> None:
        registry, look = parties.another()
        pushed = parties.mine[0].push(parties.image, parties.to)

        pulled = registry.pull(parties.to)

        assert pushed.sent_bytes > 0
        assert pulled.fetched_bytes > 0
        assert pulled.image.digest == parties.image == pushed.image
        assert pulled.image == parties.mine[1](parties.image) == look(parties.image)
        assert pulled.reference == parties.to.at(pushed.manifest)

    def test_what_is_there_already_is_not_sent_or_fetched_again(self, parties: Parties) -> None:
        registry, _ = parties.another()
        first = parties.mine[0].push(parties.image, parties.to)
        registry.pull(parties.to)

        again = parties.mine[0].push(parties.image, parties.to)

        assert (again.manifest, again.sent_bytes, again.sent_blobs) == (first.manifest, 0, 0)
        assert registry.pull(parties.to).fetched_bytes == 0

    def test_a_digest_names_it_as_a_tag_does(self, parties: Parties) -> None:
        registry, _ = parties.another()
        at = parties.pushed()

        assert registry.resolve(parties.to) == at.digest == registry.resolve(at)
        assert registry.pull(replace(at, tag="")).image.digest == parties.image

    def test_what_is_not_there_is_told(self, parties: Parties) -> None:
        registry, _ = parties.mine
        for absent in (parties.to, parties.to.at("sha256:" + "0" * 64)):
            with pytest.raises(TargetFailed, match="not there"):
                registry.pull(absent)
            with pytest.raises(TargetFailed, match="not there"):
                registry.resolve(absent)

    def test_a_push_needs_a_tag(self, parties: Parties) -> None:
        for to in (replace(parties.to, tag=""), parties.to.at("sha256:" + "0" * 64)):
            with pytest.raises(UsageInvalid, match="tag"):
                parties.mine[0].push(parties.image, to)

    def test_documents_belong_to_an_image_and_are_found_by_their_kind(self, parties: Parties) -> None:
        registry, _ = parties.mine
        at = parties.pushed()
        before = registry.referrers(at)

        note = registry.attach(at, "application/x-note", [NOTE])
        other = registry.attach(at, "application/x-other", [NOTE, replace(NOTE, content=b"second")])

        assert {one.digest for one in registry.referrers(at)} - {one.digest for one in before} == {note, other}
        assert [one.digest for one in registry.referrers(at, artifact_type="application/x-note")] == [note]
        assert registry.referrers(at, artifact_type="application/x-none") == ()
        assert registry.attached(at, note) == (NOTE,)
        assert [blob.content for blob in registry.attached(at, other)] == [NOTE.content, b"second"]

    def test_attaching_the_same_again_changes_nothing(self, parties: Parties) -> None:
        registry, _ = parties.mine
        at = parties.pushed()
        note = registry.attach(at, "application/x-note", [NOTE])
        listed = registry.referrers(at)

        assert registry.attach(at, "application/x-note", [NOTE]) == note
        assert registry.referrers(at) == listed

    def test_nothing_belongs_to_a_tag_or_to_what_it_does_not_name(self, parties: Parties) -> None:
        registry, _ = parties.mine
        at = parties.pushed()

        with pytest.raises(UsageInvalid, match="digest"):
            registry.attach(parties.to, "application/x-note", [NOTE])
        with pytest.raises(UsageInvalid, match="digest"):
            registry.referrers(parties.to)
        with pytest.raises(IntegrityFailed, match="does not belong"):
            registry.attached(at, at.digest)
