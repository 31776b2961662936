"""A certificate authority for one test run: it signs the broker and its clients, and nobody keeps its key."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

_DAY = dt.timedelta(days=1)


class Authority:
    """Signs certificates; what it makes lies in `directory` as PEM."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = rsa.generate_private_key(65537, 2048)
        self._name = _named("botmeter tests")
        self._certificate = self._signed(self._name, self._key.public_key(), is_authority=True)
        #: What to trust.
        self.file = directory / "authority.pem"
        self.file.write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def sign(self, name: str, password: str = "") -> tuple[Path, Path]:
        """Files of a new key, encrypted where there is a password, and of its certificate for 127.0.0.1."""
        key = rsa.generate_private_key(65537, 2048)
        certificate = self._signed(_named(name), key.public_key(), is_authority=False)
        encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        key_file, certificate_file = self._directory / f"{name}.key", self._directory / f"{name}.pem"
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
        return key_file, certificate_file

    def _signed(self, name: x509.Name, key: rsa.RSAPublicKey, *, is_authority: bool) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(here, critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
