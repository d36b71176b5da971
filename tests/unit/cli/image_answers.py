"""What the fake application says of images, and of those who enter what was made of them."""

from __future__ import annotations

from typing import Protocol

from vitrify.core.entered import Entered
from vitrify.core.image_report import ImageKept, ImageMoved
from vitrify.core.retention import Collected, Pin
from vitrify.core.store_report import StoreChecked

IMAGE, THERE = "sha256:" + "ab12" * 16, "sha256:" + "cd34" * 16


class _Noting(Protocol):
    images_are: tuple[ImageKept, ...]
    collected_is: tuple[Collected, ...]
    checked_is: StoreChecked

    def _called(self, name: str, /, **arguments: object) -> None: ...


class ImageAnswers:
    """Answers with one image, and notes what it was asked."""

    collected_is: tuple[Collected, ...] = (
        Collected("web1", (), (IMAGE,), 0, 5 << 20),
        Collected("store", (IMAGE, THERE), (), 4, 12_345_678),
    )
    checked_is = StoreChecked(9, 2, 12_345_678)

    def collect(self: _Noting, *, dry_run: bool, unreleased: bool) -> tuple[Collected, ...]:
        self._called("collect", dry_run=dry_run, unreleased=unreleased)
        return self.collected_is

    def pin(self: _Noting, image: str, *, reason: str, until: float) -> Pin:
        self._called("pin", image=image, reason=reason, until=until)
        return Pin(IMAGE, reason, "ada@laptop", 1_799_999_990.0, until, "0123456789abcdef")

    def unpin(self: _Noting, image: str, *, reason: str) -> Pin:
        self._called("unpin", image=image, reason=reason)
        return Pin(IMAGE, "an audit", "ada@laptop", 1_799_999_990.0)

    def pins(self: _Noting) -> tuple[Pin, ...]:
        self._called("pins")
        return (Pin(IMAGE, "an audit", "ada@laptop", 1_799_999_990.0),)

    def check_store(self: _Noting, *, repair: bool, hosts: bool) -> StoreChecked:
        self._called("check_store", repair=repair, hosts=hosts)
        return self.checked_is

    def enter(self: _Noting, server: str, command: tuple[str, ...], *, instance: str, reason: str, terminal: bool) -> tuple[Entered, ...]:
        self._called("enter", server=server, command=command, instance=instance, reason=reason, terminal=terminal)
        return (Entered("local", 3, instance="web-1", entry=7, replaced=("web-2",)),)

    def push(self: _Noting, what: str, reference: str, *, plain: bool, compression: str) -> ImageMoved:
        self._called("push", what=what, reference=reference, plain=plain, compression=compression)
        return ImageMoved(IMAGE, reference, THERE, 2_345_678)

    def pull(self: _Noting, reference: str, *, plain: bool) -> ImageMoved:
        self._called("pull", reference=reference, plain=plain)
        return ImageMoved(IMAGE, reference, THERE, 2_345_678)

    def bake_disk(self: _Noting, server: str, *, form: str, into: str) -> tuple[str, int]:
        self._called("bake_disk", server=server, form=form, into=into)
        return IMAGE, 600 << 20

    def images(self: _Noting) -> tuple[ImageKept, ...]:
        self._called("images")
        return self.images_are

    def export(self: _Noting, what: str, into: str, *, name: str, evidence: bool) -> ImageMoved:
        self._called("export", what=what, into=into, name=name, evidence=evidence)
        return ImageMoved(IMAGE, into, IMAGE, 12_345_678)

    def load(self: _Noting, source: str) -> tuple[ImageMoved, ...]:
        self._called("load", source=source)
        return (ImageMoved(IMAGE, source, IMAGE, 12_345_678),)
