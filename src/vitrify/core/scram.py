"""Passwords of PostgreSQL as it keeps them: a verifier that proves a password and does not tell it (SCRAM-SHA-256, RFC 5802, 7677)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import stringprep
import unicodedata

ROUNDS = 4096
_FORBIDDEN = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def verifier(password: str, *, salt: bytes, rounds: int = ROUNDS) -> str:
    """What the server keeps of a password."""
    salted = hashlib.pbkdf2_hmac("sha256", _prepared(password), salt, rounds)
    stored = hashlib.sha256(hmac.new(salted, b"Client Key", hashlib.sha256).digest()).digest()
    server = hmac.new(salted, b"Server Key", hashlib.sha256).digest()
    return f"SCRAM-SHA-256${rounds}:{_spelled(salt)}${_spelled(stored)}:{_spelled(server)}"


def _spelled(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _prepared(password: str) -> bytes:
    """SASLprep where the password allows it; the password itself where not, as the server and its clients do."""
    if password.isascii():
        return password.encode()
    spaced = (" " if stringprep.in_table_c12(one) else one for one in password if not stringprep.in_table_b1(one))
    found = unicodedata.normalize("NFKC", "".join(spaced))
    both = any(map(stringprep.in_table_d1, found)) and any(map(stringprep.in_table_d2, found))
    if not found or both or any(table(one) for one in found for table in _FORBIDDEN) or any(map(stringprep.in_table_a1, found)):
        return password.encode()
    return found.encode()
