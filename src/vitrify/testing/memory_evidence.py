"""Evidence without a disk: what was attached to which image, for tests of the stories."""

from __future__ import annotations

from collections.abc import Callable

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.image_report import Verdict
from vitrify.ports import Image, Made


class MemoryEvidence:
    """Remembers what each image was made from; `has` tells whether an image is there. `altered` holds images whose bytes were changed."""

    def __init__(self, has: Callable[[str], bool]) -> None:
        self._has = has
        self.made: dict[str, Made] = {}
        self.altered: set[str] = set()

    def certify(self, image: Image, made: Made) -> None:
        """Note what it was made from; what is noted already stays as it is."""
        self.made.setdefault(image.digest, made)

    def verify(self, image: str) -> tuple[Verdict, ...]:
        """Whether it is as it was baked, and whether anybody certified it."""
        if not self._has(image):
            raise VitrifyError(f"the image {image} is not here", hint="bake it again")
        certified = image in self.made
        content = Verdict("content", holds=image not in self.altered, found="as it was baked" if image not in self.altered else "altered")
        return (content, Verdict("provenance", holds=certified, found="attached" if certified else "none is attached"))
