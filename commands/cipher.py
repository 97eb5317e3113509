"""Encryption of what is kept: tokens, what people typed, transcripts. Keys are derived from CRMCHAT_SECRET_KEY."""

import hashlib
from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class FernetCipher:
    """`commands.state.Cipher` over MultiFernet: the first secret encrypts, all of them decrypt (rotation)."""

    def __init__(self, *secrets: bytes) -> None:
        if not secrets or not all(secrets):
            raise ValueError("FernetCipher needs at least one non-empty secret")
        self._fernet = MultiFernet(
            [Fernet(urlsafe_b64encode(hashlib.sha256(b"crmchat/rest/" + s).digest())) for s in secrets]
        )

    def encrypt(self, clear: bytes) -> bytes:
        """Authenticated ciphertext."""
        return self._fernet.encrypt(clear)

    def decrypt(self, sealed: bytes) -> bytes:
        """Raises ValueError where it was changed or its key is gone."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as e:
            raise ValueError("cannot be decrypted with any of the keys in CRMCHAT_SECRET_KEY") from e

    def rotate(self, sealed: bytes) -> bytes:
        """The same, encrypted with the first secret."""
        return self._fernet.rotate(sealed)
