from __future__ import annotations

import pytest

from vitrify.builders.gate import refuse_secrets
from vitrify.core.declaration import AllowedSecret
from vitrify.core.diagnostic import Denied

BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
FORTY = "q0Zr7Kp2Xw9Lt4Vb6Nc8Md1Fg3Hj5Ks7Ql0Ae2Ru"


def assembled(*parts: str) -> bytes:
    """Specimens are put together here, so that this file holds none that a scanner of repositories would find."""
    return "".join(parts).encode()


SECRETS = {
    "private key in PEM": assembled("-----BEGIN RSA PRIV", f"ATE KEY-----\n{BODY}\n"),
    "private key with headers": assembled("-----BEGIN RSA PRIV", f"ATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\n{BODY}\n"),
    "private key in JSON": assembled('{"private_key": "-----BEGIN PRIV', f'ATE KEY-----\\n{BODY}\\n"}}'),
    "OpenSSH key": assembled("-----BEGIN OPENSSH PRIV", f"ATE KEY-----\r\nb3BlbnNzaC1rZXktdjEA{BODY}\r\n"),
    "AWS pair": assembled("aws_access_key_id = AKIA", f"3XQ7ZJ2MNB4KLC6D\naws_secret_access_key = {FORTY}\n"),
    "GitHub token": assembled("token: ghp_", "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5"),
    "GitLab token": assembled("glpat-", "aB3dE5fG7hI9jK1lM3nO"),
    "Stripe key": assembled("sk_live_", "aB3dE5fG7hI9jK1lM3nO5pQ7"),
    "age identity": assembled("AGE-SECRET-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQPZRY9X8GF2TVDW0S3JN54KHCE"),
}

HARMLESS = {
    "code that names the marker": b'BEGIN = b"-----BEGIN PRIVATE KEY-----"\nEND = b"-----END PRIVATE KEY-----"\n',
    "documentation with an ellipsis": b"-----BEGIN RSA PRIVATE KEY-----\nMIIE...\n-----END RSA PRIVATE KEY-----\n",
    "a public key": f"-----BEGIN PUBLIC KEY-----\n{BODY}\n".encode(),
    "an access key alone": b"AKIA3XQ7ZJ2MNB4KLC6D",
    "the vendor's example": b"AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
    "a placeholder": b"ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "a longer word": b"xghp_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zz",
    "a digest": b"sha256:" + b"0123456789abcdef" * 4,
}


@pytest.mark.parametrize("content", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_refused_without_being_shown(content: bytes) -> None:
    with pytest.raises(Denied) as refused:
        refuse_secrets("/srv/app/config", content)

    assert "/srv/app/config would put a secret into the image" in str(refused.value)
    assert content.decode().strip()[-20:] not in str(refused.value)


@pytest.mark.parametrize("content", HARMLESS.values(), ids=HARMLESS)
def test_what_only_looks_like_a_secret_passes(content: bytes) -> None:
    refuse_secrets("/srv/app/code.py", content)


def test_a_file_that_is_allowed_by_path_and_rule_passes_and_no_other_does() -> None:
    allowed = [AllowedSecret("/srv/app/tests/key.pem", "private key", "a key of the tests")]
    key = SECRETS["private key in PEM"]

    refuse_secrets("/srv/app/tests/key.pem", key, allowed=allowed)
    for path, content in (("/srv/app/key.pem", key), ("/srv/app/tests/key.pem", SECRETS["GitHub token"])):
        with pytest.raises(Denied, match="allow_secrets"):
            refuse_secrets(path, content, allowed=allowed)
