"""One process at a time: a lock on a file, which the kernel lets go when its process ends, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from smsgw.errors import StartError

_CANNOT_CREATE: Final = 73  # EX_CANTCREAT
_IN_USE: Final = 69  # EX_UNAVAILABLE


@contextmanager
def only_one(file: Path) -> Iterator[None]:
    """Hold the lock while the block lasts.

    Raises:
        StartError: another process holds it, or the file cannot be made.
    """
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartError(f"{file}: cannot be made: {error.strerror}", _CANNOT_CREATE) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError(f"{file}: another smsgw runs on this database; one at a time can", _IN_USE) from None
        yield
    finally:
        os.close(descriptor)
