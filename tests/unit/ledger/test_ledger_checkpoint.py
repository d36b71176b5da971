"""Notes, checkpoints and keys in their C2SP text forms, against a note that another implementation signed."""

from __future__ import annotations

import pytest

from vitrify.core.diagnostic import IntegrityFailed, UsageInvalid
from vitrify.ledger.checkpoint import Checkpoint, Signer, Verifier, open_checkpoint, open_note
from vitrify.ledger.keys import generate
from vitrify.ledger.tree import EMPTY

# The example key pair and note of the documentation of Go's golang.org/x/mod/sumdb/note.
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"  # noqa: S105 - published as an example
TEXT = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NOTE = TEXT + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n".encode()

ADA, EVE = generate("ada@laptop"), generate("eve@cellar")
HEAD = Checkpoint("vitrify.dev/shop", 0, EMPTY)


def opened(note: bytes, *keys: Verifier) -> Checkpoint:
    return open_checkpoint(note, origin="vitrify.dev/shop", trusted=keys or (ADA.verifier,))


def test_a_note_that_go_signed_opens_with_its_key() -> None:
    assert open_note(NOTE, [Verifier.parse(PUBLIC)]) == TEXT


def test_signing_the_same_text_gives_the_note_that_go_wrote() -> None:
    assert Signer.parse(SECRET).sign(TEXT) == NOTE


def test_keys_keep_their_text_forms() -> None:
    assert str(Verifier.parse(PUBLIC)) == PUBLIC == str(Signer.parse(SECRET).verifier)
    assert Signer.parse(SECRET).secret_text() == SECRET


def test_a_checkpoint_is_origin_size_and_root() -> None:
    assert HEAD.text() == b"vitrify.dev/shop\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    assert opened(ADA.sign(HEAD.text())) == HEAD


def test_another_signature_beside_the_known_one_is_ignored() -> None:
    both = ADA.sign(HEAD.text()) + EVE.sign(HEAD.text()).partition(b"\n\n")[2]
    assert opened(both) == HEAD


def test_a_note_that_nobody_known_signed_is_refused() -> None:
    with pytest.raises(IntegrityFailed, match="nobody known"):
        opened(EVE.sign(HEAD.text()))


def test_a_wrong_signature_of_one_known_key_spoils_the_right_one_of_another() -> None:
    wrong = EVE.sign(HEAD.text() + b"more\n").partition(b"\n\n")[2]
    with pytest.raises(IntegrityFailed, match=r"eve@cellar is wrong"):
        opened(ADA.sign(HEAD.text()) + wrong, ADA.verifier, EVE.verifier)


@pytest.mark.parametrize(
    "text",
    [
        b"vitrify.dev/shop\n0\n",
        b"vitrify.dev/shop\n00\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        b"vitrify.dev/shop\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "vitrify.dev/shop\n٣\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n".encode(),
        b"vitrify.dev/shop\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n",
        b"vitrify.dev/shop\n0\nAAAA\n",
        b"vitrify.dev/shop\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nextension\n",
        b"vitrify.dev/other\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_of_this_ledger_is_refused(text: bytes) -> None:
    with pytest.raises(IntegrityFailed):
        opened(ADA.sign(text))


@pytest.mark.parametrize(
    "note", [b"", b"\n\n", b"\xff", HEAD.text(), HEAD.text() + b"\nno dash\n", ADA.sign(HEAD.text())[:-1], ADA.sign(HEAD.text()) + b"x"]
)
def test_bytes_that_are_no_note_are_refused(note: bytes) -> None:
    with pytest.raises(IntegrityFailed):
        opened(note)


@pytest.mark.parametrize(
    "text", ["", "ada", "ada+00000000+AAAA", PUBLIC.replace("c74f20a3", "c74f20a4"), PUBLIC[:-4], PUBLIC + "=", PUBLIC[:-1] + "!"]
)
def test_a_text_that_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(UsageInvalid):
        Verifier.parse(text)


@pytest.mark.parametrize("text", ["", SECRET[:-4], SECRET.replace("c74f20a3", "00000000"), SECRET.removeprefix("PRIVATE+")])
def test_a_text_that_is_no_secret_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(UsageInvalid) as caught:
        Signer.parse(text)
    assert "AYEKFALV" not in str(caught.value)


def test_a_key_never_shows_its_secret() -> None:
    assert "AYEKFALV" not in repr(Signer.parse(SECRET))
    assert "seed" not in repr(ADA)


@pytest.mark.parametrize("name", ["", "ada lovelace", "ada+bob", "ada\u2003", "ada\n"])
def test_a_key_needs_a_name_that_fits_on_a_signature_line(name: str) -> None:
    with pytest.raises(UsageInvalid):
        generate(name)
