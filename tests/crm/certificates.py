"""Throw-away certificates: an authority, and what it signs."""

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    """A certificate authority of our own; `ca_file` is what clients must trust."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate
    folder: Path

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, name: str = "localhost", *, starts: dt.timedelta = dt.timedelta(days=-2), lasts: int = 10) -> Path:
        """A PEM file with certificate and key for a host; `lasts` days from `starts`."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate = _sign(name, key, self.key, self.certificate.subject, starts=starts, lasts=lasts)
        path = self.folder / f"{name}-{certificate.serial_number}.pem"
        path.write_bytes(_pem(key, certificate))
        return path

    def server(
        self, name: str = "localhost", *, starts: dt.timedelta = dt.timedelta(days=-2), lasts: int = 10
    ) -> ssl.SSLContext:
        """A server's TLS context with a fresh certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue(name, starts=starts, lasts=lasts))
        return context


def make_authority(folder: Path) -> Authority:
    """A new authority whose files live in a folder."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = _name("Test authority")
    certificate = _sign("Test authority", key, key, subject, starts=dt.timedelta(days=-2), lasts=10, authority=True)
    authority = Authority(key, certificate, folder)
    authority.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return authority


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _sign(
    name: str,
    key: rsa.RSAPrivateKey,
    issuer_key: rsa.RSAPrivateKey,
    issuer: x509.Name,
    *,
    starts: dt.timedelta,
    lasts: int,
    authority: bool = False,
) -> x509.Certificate:
    begin = dt.datetime.now(dt.UTC) + starts
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=lasts))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not authority:
        alternatives: list[x509.GeneralName] = [x509.DNSName(name)]
        if name == "localhost":
            alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _pem(key: rsa.RSAPrivateKey, certificate: x509.Certificate) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)
