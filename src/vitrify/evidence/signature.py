"""The signature over an image: a payload in the format of "simple signing" that names the manifest's digest.

That is what cosign signs and checks with `--key`; the signature itself is a bare Ed25519 one, in base64 beside the payload.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from typing import Final

from vitrify.core.digest import JSON, canonical
from vitrify.ledger.checkpoint import Signer, Verifier

ARTIFACT_TYPE: Final = "application/vnd.dev.cosign.artifact.sig.v1+json"
MEDIA_TYPE: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
ANNOTATION: Final = "dev.cosignproject.cosign/signature"
_KIND: Final = "cosign container image signature"


def payload(image: str) -> bytes:
    """What is signed for an image."""
    critical: JSON = {"identity": {"docker-reference": ""}, "image": {"docker-manifest-digest": image}, "type": _KIND}
    return canonical({"critical": critical, "optional": None})


def sign(image: str, signer: Signer) -> str:
    """The signature over an image's payload, in base64."""
    return base64.b64encode(signer.signature(payload(image))).decode()


def signer_of(content: bytes, signature: str, *, image: str, trusted: Iterable[Verifier]) -> Verifier | None:
    """The trusted key that signed this payload about this image; None where there is none."""
    try:
        critical = json.loads(content)["critical"]
        named, kind = critical["image"]["docker-manifest-digest"], critical["type"]
        made = base64.b64decode(signature, validate=True)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        return None
    if (named, kind) != (image, _KIND):
        return None
    return next((key for key in trusted if key.signed(content, made)), None)
