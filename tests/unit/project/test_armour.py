"""A key in armour is the very key, whoever puts it there."""

from __future__ import annotations

import base64

from vitrify.project.armour import armoured


def test_a_binary_key_is_armoured_with_its_check_sum() -> None:
    lines = armoured(b"123456789").decode().splitlines()

    assert lines[0] == "-----BEGIN PGP PUBLIC KEY BLOCK-----"
    assert base64.b64decode(lines[2]) == b"123456789"
    assert base64.b64decode(lines[3][1:]) == bytes.fromhex("21cf02")


def test_a_long_key_is_broken_into_lines() -> None:
    assert max(len(line) for line in armoured(bytes(range(256)) * 9).decode().splitlines()) <= 64


def test_an_armoured_key_stays_as_it_is() -> None:
    key = armoured(b"key")

    assert armoured(b"\n  " + key + b"\n\n") == key
