"""What tests with programs that nobody here wrote need: the program itself, and a port that it can be told."""

import os
import shutil
import socket
from pathlib import Path
from typing import Final

import pytest


def program(name: str, package: str) -> str:
    """Return the path of a program; skip the test when it is missing, fail it in CI.

    Args:
        name: on the PATH, or a path.
        package: Debian's package that has it.
    """
    found = shutil.which(name)
    if found is None:
        missing(f"{name} is missing; apt-get install {package}")
    assert found is not None
    return found


def missing(sentence: str) -> None:
    """Skip the test, or fail it in CI, with a sentence that says what to install."""
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


def node_modules(folder: Path) -> None:
    """Insist on the packages that a folder's package-lock.json names."""
    if not (folder / "node_modules").is_dir():
        missing(f"the npm packages are missing; npm ci --prefix {folder}")


def free_port() -> int:
    """Return a free port, for a program that cannot choose one by itself.

    It is kept from whoever asks for any port, for as long as the tests run; a program that means it may listen on it.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    _kept.append(kept)
    port: int = kept.getsockname()[1]
    return port


_kept: Final[list[socket.socket]] = []
