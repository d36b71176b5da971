"""Authorities and certificates that a test makes for itself."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_FORMS = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@dataclass(frozen=True)
class Authority:
    """Who signs; `folder` holds its certificate as `ca.crt` and whatever it signed."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, folder: Path) -> Authority:
        """A new one, that nobody knows."""
        folder.mkdir(parents=True)
        key = ec.generate_private_key(ec.SECP256R1())
        found = _signed(f"authority of {folder.name}", key, issuer=None, by=key)
        (folder / "ca.crt").write_bytes(found.public_bytes(serialization.Encoding.PEM))
        return cls(folder, key, found)

    def sign(self, name: str) -> tuple[Path, Path]:
        """A certificate for this machine's loopback, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        found = _signed(name, key, issuer=self.certificate.subject, by=self.key)
        certificate, private = self.folder / f"{name}.cert", self.folder / f"{name}.key"
        certificate.write_bytes(found.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(key.private_bytes(*_FORMS))
        return certificate, private


def _signed(name: str, key: ec.EllipticCurvePrivateKey, *, issuer: x509.Name | None, by: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject).public_key(key.public_key())
    made = (
        made.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=2))
    )
    made = made.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    made = made.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
    return made.sign(by, hashes.SHA256())
