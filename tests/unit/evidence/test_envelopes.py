"""An envelope opens for the key that sealed it, and for nobody who changed a byte of it."""

from __future__ import annotations

import base64
import json

import pytest

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.evidence.dsse import preauthenticated, seal, unseal
from vitrify.ledger.checkpoint import Signer

ANN, BOB = Signer("ann@laptop", b"\1" * 32), Signer("bob@desk", b"\2" * 32)


def test_what_is_signed_is_the_encoding_of_the_specification() -> None:
    assert preauthenticated("http://example.com/HelloWorld", b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_an_envelope_opens_for_the_key_that_sealed_it() -> None:
    opened = unseal(seal("text/plain", b"hello", ANN), [BOB.verifier, ANN.verifier])
    assert (opened.payload_type, opened.payload, opened.by.name) == ("text/plain", b"hello", "ann@laptop")


def test_sealing_again_gives_the_same_bytes() -> None:
    assert seal("text/plain", b"hello", ANN) == seal("text/plain", b"hello", ANN)


def test_a_key_that_nobody_trusts_opens_nothing() -> None:
    with pytest.raises(IntegrityFailed, match="nobody known"):
        unseal(seal("text/plain", b"hello", ANN), [BOB.verifier])


@pytest.mark.parametrize(("field", "value"), [("payload", base64.b64encode(b"hullo").decode()), ("payloadType", "text/html")])
def test_another_payload_or_type_breaks_the_signature(field: str, value: str) -> None:
    data = json.loads(seal("text/plain", b"hello", ANN)) | {field: value}
    with pytest.raises(IntegrityFailed):
        unseal(json.dumps(data).encode(), [ANN.verifier])


@pytest.mark.parametrize(
    "envelope",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"payload":1,"payloadType":"a","signatures":[]}',
        b'{"payload":"","payloadType":1,"signatures":[]}',
        b"[" * 10000,
    ],
    ids=["nothing", "list", "empty", "no text", "number", "no type", "deep"],
)
def test_what_is_no_envelope_is_refused_and_nothing_else_happens(envelope: bytes) -> None:
    with pytest.raises(IntegrityFailed):
        unseal(envelope, [ANN.verifier])
