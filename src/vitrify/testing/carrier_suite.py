"""What every Carrier promises, as tests. An adapter is done when a subclass of this suite passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from vitrify.core.diagnostic import VitrifyError
from vitrify.onhost.unpack import unpack
from vitrify.ports import Carrier


@dataclass(frozen=True)
class Journey:
    """A carrier, two images of which the second differs from the first by little, and a name for a fresh folder."""

    carrier: Carrier
    first: str
    second: str
    fresh: Callable[[], str]


class CarrierSuite:
    """Subclass it, and give it a fixture `journey` of type `Journey`."""

    def test_an_image_arrives_whole(self, journey: Journey) -> None:
        for image in (journey.first, journey.second):
            layout = asyncio.run(journey.carrier.bring(image))
            assert unpack(layout, image, journey.fresh()).digest == image

    def test_bringing_again_leads_to_the_same_place(self, journey: Journey) -> None:
        assert asyncio.run(journey.carrier.bring(journey.first)) == asyncio.run(journey.carrier.bring(journey.first))

    def test_an_image_that_is_not_here_is_told_with_what_to_do(self, journey: Journey) -> None:
        with pytest.raises(VitrifyError, match="is not here") as missing:
            asyncio.run(journey.carrier.bring("sha256:" + "0" * 64))
        assert missing.value.diagnostics[0].hint
