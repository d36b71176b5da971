"""What the fake application says of images, and of those who enter what was made of them."""

from __future__ import annotations

from typing import Protocol

from vitrify.core.entered import Entered
from vitrify.core.image_report import ImageKept, ImageMoved

IMAGE, THERE = "sha256:" + "ab12" * 16, "sha256:" + "cd34" * 16


class _Noting(Protocol):
    images_are: tuple[ImageKept, ...]

    def _called(self, name: str, /, **arguments: object) -> None: ...


class ImageAnswers:
    """Answers with one image, and notes what it was asked."""

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
