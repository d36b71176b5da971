"""Opens what `ansible-vault` closed: the format `$ANSIBLE_VAULT;1.1;AES256` (and 1.2, which has a label). Reads only."""

from __future__ import annotations

import hashlib
import hmac
import re

from vitrify.core.diagnostic import VitrifyError

HEADER = "$ANSIBLE_VAULT;"
_ROUNDS = 10_000
_KEY = 32
_BLOCK = 16
_SPACE = re.compile(r"\s+")


def opened(text: str, *, password: str) -> bytes:
    """What was closed with this password; a VitrifyError that shows neither where it does not open."""
    salt, seal, closed = _parts(text)
    derived = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ROUNDS, dklen=2 * _KEY + _BLOCK)
    key, sealing, counter = derived[:_KEY], derived[_KEY : 2 * _KEY], derived[2 * _KEY :]
    if not hmac.compare_digest(hmac.new(sealing, closed, hashlib.sha256).digest(), seal):
        raise VitrifyError("the vault does not open", hint="the password is another one, or the file was changed")
    return _unpadded(_decrypted(closed, key, counter))


def _parts(text: str) -> tuple[bytes, bytes, bytes]:
    """Salt, seal and closed content."""
    header, _, body = text.strip().partition("\n")
    words = header.strip().split(";")
    if not header.startswith(HEADER) or len(words) not in (3, 4):
        raise VitrifyError("this is not an Ansible vault", hint=f"it would begin with {HEADER}1.1;AES256")
    if words[1] not in ("1.1", "1.2") or words[2] != "AES256":
        raise VitrifyError(f"this is a vault of the form {';'.join(words[1:3])}", hint="1.1 and 1.2 with AES256 can be read")
    try:
        salt, seal, closed = (bytes.fromhex(part) for part in bytes.fromhex(_SPACE.sub("", body)).decode().split("\n"))
    except ValueError:  # its message quotes what it could not read
        raise VitrifyError("the vault is damaged") from None
    return salt, seal, closed


def _decrypted(closed: bytes, key: bytes, counter: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    decryptor = Cipher(algorithms.AES(key), modes.CTR(counter)).decryptor()
    return decryptor.update(closed) + decryptor.finalize()


def _unpadded(padded: bytes) -> bytes:
    """Without the filling up to a whole block: as many bytes as the last one says."""
    length = padded[-1] if padded else 0
    if not 1 <= length <= _BLOCK or padded[-length:] != bytes([length]) * length:
        raise VitrifyError("the vault is damaged")
    return padded[:-length]
