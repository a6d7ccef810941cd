"""The keys that codes and outgoing texts are kept under: look-up by HMAC, sealing by AES-GCM.

A copy of the database without the key file opens no doors.
"""

import hmac
import os
from base64 import b64decode, b64encode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from smsgw.errors import SettingsError, SmsgwError

_SECRET_BYTES = 32
_NONCE_BYTES = 12
_LOOKUP_BYTES = 15  # of the HMAC: 120 bits, 20 characters: nobody meets another code's, and the index stays small


class Vault:
    """One key, ready for use.

    Args:
        key_id: names the key beside what was sealed with it.
        secret: 32 random bytes; two keys are derived from it, one for each use.
        random_bytes: n → n bytes from a cryptographic generator.
    """

    def __init__(self, key_id: str, secret: bytes, random_bytes: Callable[[int], bytes]) -> None:
        self.key_id = key_id
        self._lookup_key = blake2b(secret, digest_size=32, person=b"smsgw lookup").digest()
        self._cipher = AESGCM(blake2b(secret, digest_size=32, person=b"smsgw seal").digest())
        self._random_bytes = random_bytes

    def lookup(self, service: str, canonical_code: str) -> str:
        """Return the HMAC (20 characters of base64url) by which a service's code is found."""
        message = f"{service}\x1f{canonical_code}".encode()
        digest = hmac.digest(self._lookup_key, message, "sha256")
        return urlsafe_b64encode(digest[:_LOOKUP_BYTES]).decode()

    def seal(self, plain: bytes, row: str) -> bytes:
        """Encrypt; ``row`` is the id of the row it stands in, so that it opens nowhere else."""
        nonce = self._random_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, row.encode())

    def open(self, sealed: bytes, row: str) -> bytes:
        """Decrypt what `seal` made for this row.

        Raises:
            SmsgwError: another key or another row, or somebody changed it.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], row.encode())
        except (InvalidTag, ValueError):
            raise SmsgwError(f"{row}: the sealed text does not open with key {self.key_id}") from None


def read_key(file: Path, random_bytes: Callable[[int], bytes]) -> Vault:
    """Read the key file: one line, the key's id and the base64 of 32 bytes.

    Raises:
        SettingsError: missing, unreadable, readable by everybody, or not such a line.
    """
    try:
        mode = file.stat().st_mode
        key_id, encoded = file.read_text(encoding="ascii").split()
        secret = b64decode(encoded, validate=True)
    except OSError as error:
        raise SettingsError([f"{file}: the key file cannot be read: {error.strerror}"]) from None
    except (ValueError, Base64Error):
        raise SettingsError(
            [f"{file}: not a key file; it must hold one line: a name and the base64 of 32 bytes"]
        ) from None
    if mode & 0o007:
        raise SettingsError([f"{file}: everybody may read the key; run: chmod o= {file}"])
    if len(secret) != _SECRET_BYTES:
        raise SettingsError([f"{file}: the key has {len(secret)} bytes; it must have {_SECRET_BYTES}"])
    return Vault(key_id, secret, random_bytes)


def make_key(file: Path, random_bytes: Callable[[int], bytes]) -> None:
    """Write a new key file, readable by its owner only; whole and on disk when it has its name. Never replaces one."""
    line = f"k1 {b64encode(random_bytes(_SECRET_BYTES)).decode()}\n"
    fresh = file.with_name(f".{file.name}.{os.getpid()}")  # what a crash leaves here is in nobody's way
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
        os.link(fresh, file)
    finally:
        os.close(descriptor)
        fresh.unlink()
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
