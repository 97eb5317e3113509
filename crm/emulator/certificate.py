"""A certificate for one run of the emulator over TLS: self-signed, for localhost, gone when it stops."""

import ipaddress
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def self_signed() -> tuple[Path, Path]:
    """Make a certificate and its key.

    Returns: the paths of two PEM files readable by this user alone. The caller deletes them; clients that should trust
        the emulator are given the first (`REQUESTS_CA_BUNDLE`, `SSL_CERT_FILE`).
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("localhost"),
                    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                    x509.IPAddress(ipaddress.ip_address("::1")),
                ]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return _write(certificate.public_bytes(serialization.Encoding.PEM), "cert"), _write(secret, "key")


def _write(content: bytes, label: str) -> Path:
    with tempfile.NamedTemporaryFile(prefix=f"emulator-{label}-", suffix=".pem", delete=False) as file:
        file.write(content)
    return Path(file.name)
