"""The bill of materials of an image: CycloneDX 1.6 JSON, with a package URL for each part. Equal parts give equal bytes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from vitrify.core.digest import digest_of
from vitrify.evidence.inventory import Part

if TYPE_CHECKING:  # half a tenth of a second, for those alone who make one
    from cyclonedx.model.component import Component

MEDIA_TYPE: Final = "application/vnd.cyclonedx+json"
_NAMESPACE: Final = uuid.UUID("6d5f1e0a-6a53-5c4e-9b0b-5f0f0c1f7a11")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def bill(parts: Iterable[Part]) -> bytes:
    """The bill of these parts.

    Its serial number follows from them and its time is that of every image, so that an image that was made again has the same bill.
    """
    from cyclonedx.model.bom import Bom
    from cyclonedx.output.json import JsonV1Dot6

    known = sorted(set(parts))
    made = Bom(components=[_component(part) for part in known], serial_number=uuid.uuid5(_NAMESPACE, identity(known)))
    made.metadata.timestamp = _EPOCH
    return JsonV1Dot6(made).output_as_string().encode()


def identity(parts: Iterable[Part]) -> str:
    """The digest of what a bill lists."""
    return digest_of([[*vars(part).values()] for part in sorted(set(parts))])


def _component(part: Part) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    url = part.url
    return Component(type=ComponentType.LIBRARY, name=part.name, version=part.version or None, purl=url, bom_ref=url.to_string())


def urls(parts: Iterable[Part]) -> frozenset[str]:
    """The package URLs that a bill of these parts lists."""
    return frozenset(part.url.to_string() for part in parts)


def listed(content: bytes) -> frozenset[str]:
    """The package URLs in a bill, whoever wrote it; ValueError where it is none."""
    import json

    data = json.loads(content)
    if not isinstance(data, dict) or data.get("bomFormat") != "CycloneDX":
        raise ValueError("it is not a CycloneDX document")
    components = data.get("components", [])
    if not isinstance(components, list):
        raise ValueError("its components are no list")  # noqa: TRY004  what is wrong is the document, not a caller's type
    return frozenset(str(one.get("purl", "")) for one in components if isinstance(one, dict))
