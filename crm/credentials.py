"""What an application proves itself with: a secret, or a certificate."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from .errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Secret:
    """A client secret."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its private key: PEM with both in one file, or PFX."""

    path: Path
    passphrase: str | None = field(default=None, repr=False)

    def for_msal(self) -> dict[str, Any]:
        """As MSAL wants it. Raises ConfigurationError when the file is unusable or the certificate expired."""
        if self.path.suffix.lower() in {".pfx", ".p12"}:
            return {"private_key_pfx_path": str(self.path), "passphrase": self.passphrase, "public_certificate": True}
        try:
            text = self.path.read_text("utf-8")
            certificate = x509.load_pem_x509_certificate(text.encode())
        except OSError as exc:
            raise ConfigurationError(f"The certificate {self.path} cannot be read: {exc.strerror}.") from None
        except ValueError:
            raise ConfigurationError(
                f"{self.path} holds no certificate: it must hold one and its private key as PEM, or be a .pfx."
            ) from None
        if "PRIVATE KEY-----" not in text:
            raise ConfigurationError(f"{self.path} holds no private key; put it beside the certificate.")
        ends = certificate.not_valid_after_utc
        if ends < datetime.now(UTC):
            raise ConfigurationError(
                f"The certificate {self.path} expired on {ends:%Y-%m-%d}. Upload a new one to the app registration."
            )
        start = text.index("-----BEGIN CERTIFICATE-----")
        return {"private_key": text, "passphrase": self.passphrase, "public_certificate": text[start:]}
