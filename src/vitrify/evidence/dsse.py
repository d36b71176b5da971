"""Signed envelopes: the Dead Simple Signing Envelope (DSSE 1.0.2), with an author's Ed25519 key."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import JSON, canonical
from vitrify.ledger.checkpoint import Signer, Verifier

MEDIA_TYPE: Final = "application/vnd.dsse.envelope.v1+json"
LARGEST: Final = 4 << 20
"""Bytes of an envelope that are read at most."""


@dataclass(frozen=True)
class Opened:
    """What an envelope holds, and the key that vouches for it."""

    payload_type: str
    payload: bytes
    by: Verifier


def preauthenticated(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: DSSE's pre-authentication encoding, which no other type or payload shares."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def seal(payload_type: str, payload: bytes, signer: Signer) -> bytes:
    """The envelope of this payload. Equal input gives equal bytes: Ed25519 needs no chance."""
    made: JSON = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": [
            {"keyid": str(signer.verifier), "sig": base64.b64encode(signer.signature(preauthenticated(payload_type, payload))).decode()}
        ],
    }
    return canonical(made)


def unseal(envelope: bytes, trusted: Iterable[Verifier]) -> Opened:
    """The payload of an envelope that a trusted key signed; IntegrityFailed otherwise.

    The key id in an envelope is a hint that nothing rests on: every trusted key is tried.
    """
    payload_type, payload, signatures = _parse(envelope)
    signed = preauthenticated(payload_type, payload)
    for key in trusted:
        if any(key.signed(signed, signature) for signature in signatures):
            return Opened(payload_type, payload, key)
    raise IntegrityFailed("the envelope is signed by nobody known", hint="the authors' keys are in vitrify.keys; others are named by --key")


def _parse(envelope: bytes) -> tuple[str, bytes, list[bytes]]:
    if len(envelope) > LARGEST:
        raise IntegrityFailed("this is not a signed envelope", why=f"it has more than {LARGEST} bytes")
    try:
        data = json.loads(envelope)
        payload_type, payload = data["payloadType"], base64.b64decode(data["payload"], validate=True)
        signatures = [base64.b64decode(one["sig"], validate=True) for one in data["signatures"]]
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise IntegrityFailed("this is not a signed envelope", why=str(error)) from None
    if not isinstance(payload_type, str):
        raise IntegrityFailed("this is not a signed envelope", why="its payloadType is no text")
    return payload_type, payload, signatures
