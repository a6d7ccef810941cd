"""The keys that codes and outgoing texts are kept under: look-up by HMAC, sealing by AES-GCM.

A copy of the database without the key file opens no doors.
"""

import hmac
import os
from base64 import b64decode, b64encode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from stat import S_IMODE

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from smsgw.errors import SettingsError, SmsgwError

_SECRET_BYTES = 32
_NONCE_BYTES = 12
_LOOKUP_BYTES = 15  # of the HMAC: 120 bits, 20 characters: nobody meets another code's, and the index stays small


class Key:
    """One key, ready for use.

    Args:
        key_id: names it beside what was sealed with it.
        secret: 32 random bytes; two keys are derived from it, one for each use.
    """

    def __init__(self, key_id: str, secret: bytes) -> None:
        self.id = key_id
        self.line = f"{key_id} {b64encode(secret).decode()}\n"
        # Copied for each message: half the price of beginning anew.
        self._mac = hmac.new(blake2b(secret, digest_size=32, person=b"smsgw lookup").digest(), digestmod="sha256")
        self.cipher = AESGCM(blake2b(secret, digest_size=32, person=b"smsgw seal").digest())

    def lookup(self, message: bytes) -> str:
        """Return the HMAC (20 characters of base64url) of what identifies a code."""
        mac = self._mac.copy()
        mac.update(message)
        return urlsafe_b64encode(mac.digest()[:_LOOKUP_BYTES]).decode()


class Ring:
    """The keys of a key file, for good: the first is in use, the others still open what was sealed with them.

    Args:
        keys: at least one.
        random_bytes: n → n bytes from a cryptographic generator.
    """

    def __init__(self, keys: Sequence[Key], random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._keys = {key.id: key for key in keys}
        self._current = keys[0]
        self.key_id = self._current.id

    @property
    def key_ids(self) -> list[str]:
        """The names of the keys, the one in use first."""
        return list(self._keys)

    def lookups(self, service: str, canonical_code: str) -> list[str]:
        """Return the HMACs by which a service's code may be found, under the key in use and then under the others."""
        message = f"{service}\x1f{canonical_code}".encode()
        return [key.lookup(message) for key in self._keys.values()]

    def seal(self, plain: bytes, row: str) -> bytes:
        """Encrypt; ``row`` is the id of the row it stands in, so that it opens nowhere else."""
        nonce = self._random_bytes(_NONCE_BYTES)
        return nonce + self._current.cipher.encrypt(nonce, plain, row.encode())

    def open(self, sealed: bytes, row: str, key_id: str) -> bytes:
        """Decrypt what `seal` made for this row.

        Raises:
            SmsgwError: no such key, another row, or somebody changed it.
        """
        key = self._keys.get(key_id)
        if key is None:
            raise SmsgwError(f"{row}: sealed with the key {key_id}, which is not in the key file")
        try:
            return key.cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], row.encode())
        except (InvalidTag, ValueError):
            raise SmsgwError(f"{row}: the sealed text does not open with key {key_id}") from None


class Vault:
    """The keys as they are now; `replace` changes them while the daemon runs, in any thread.

    Whoever seals something and writes down the key's name beside it takes one `ring` for both.
    """

    def __init__(self, keys: Sequence[Key], random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self.replace(keys)

    def replace(self, keys: Sequence[Key]) -> None:
        """Use these keys from now on."""
        self.ring = Ring(keys, self._random_bytes)

    @property
    def key_id(self) -> str:
        """The name of the key in use."""
        return self.ring.key_id

    @property
    def key_ids(self) -> list[str]:
        """The names of the keys, the one in use first."""
        return self.ring.key_ids

    def lookups(self, service: str, canonical_code: str) -> list[str]:
        """See ``Ring.lookups``."""
        return self.ring.lookups(service, canonical_code)

    def seal(self, plain: bytes, row: str) -> bytes:
        """See ``Ring.seal``."""
        return self.ring.seal(plain, row)

    def open(self, sealed: bytes, row: str, key_id: str) -> bytes:
        """See ``Ring.open``."""
        return self.ring.open(sealed, row, key_id)


def read_keys(file: Path) -> list[Key]:
    """Read a key file: a line for each key, its id and the base64 of 32 bytes; the first line is the key in use.

    Raises:
        SettingsError: missing, unreadable, readable by everybody, or not such lines.
    """
    try:
        mode = file.stat().st_mode
        keys = [_key(file, line) for line in file.read_text(encoding="ascii").splitlines() if line.strip()]
    except OSError as error:
        raise SettingsError([f"{file}: the key file cannot be read: {error.strerror}"]) from None
    except (ValueError, Base64Error):
        raise _no_key_file(file) from None
    if not keys or len({key.id for key in keys}) < len(keys):
        raise _no_key_file(file)
    if mode & 0o007:
        raise SettingsError([f"{file}: everybody may read the key; run: chmod o= {file}"])
    return keys


def _no_key_file(file: Path) -> SettingsError:
    return SettingsError(
        [f"{file}: not a key file; each of its lines must hold a name of its own and the base64 of 32 bytes"]
    )


def _key(file: Path, line: str) -> Key:
    key_id, encoded = line.split()
    secret = b64decode(encoded, validate=True)
    if len(secret) != _SECRET_BYTES:
        raise SettingsError([f"{file}: the key {key_id} has {len(secret)} bytes; it must have {_SECRET_BYTES}"])
    return Key(key_id, secret)


def make_key(file: Path, random_bytes: Callable[[int], bytes]) -> None:
    """Write a new key file, readable by its owner only; whole and on disk when it has its name. Never replaces one."""
    _write(file, [Key("k1", random_bytes(_SECRET_BYTES))], os.link)


def new_key(keys: Sequence[Key], random_bytes: Callable[[int], bytes]) -> Key:
    """Make a key whose number follows all of these."""
    return Key(f"k{max(map(number, keys)) + 1}", random_bytes(_SECRET_BYTES))


def number(key: Key) -> int:
    """Return which of the keys in turn this is; 0 for a name of another kind."""
    digits = key.id.removeprefix("k")
    return int(digits) if digits.isdecimal() and digits.isascii() else 0


def replace_keys(file: Path, keys: Sequence[Key]) -> None:
    """Put other keys into a key file, all at once, for the same owner as before; on disk when it returns."""
    _write(file, keys, os.replace, owner=file.stat())


def _write(
    file: Path, keys: Sequence[Key], name: Callable[[Path, Path], None], owner: os.stat_result | None = None
) -> None:
    """Write a key file beside its place, and give it its name when it is on disk."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")  # what a crash leaves here is in nobody's way
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        if owner is not None:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
            os.fchmod(descriptor, S_IMODE(owner.st_mode))
        os.write(descriptor, "".join(key.line for key in keys).encode())
        os.fsync(descriptor)
        name(fresh, file)
    finally:
        os.close(descriptor)
        fresh.unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
