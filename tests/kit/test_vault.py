"""The key file and what is kept under it: a copy of the database opens no doors, a wrong key or row opens nothing."""

import itertools
import os
import stat
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from smsgw.errors import SettingsError, SmsgwError
from smsgw.kit.vault import Key, Vault, make_key, read_keys

SECRET = bytes(range(32))


def counter() -> Callable[[int], bytes]:
    """Stand in for chance: another answer each time."""
    numbers = itertools.count()
    return lambda count: next(numbers).to_bytes(count, "big")


@pytest.fixture
def one() -> Vault:
    return Vault([Key("k1", SECRET)], counter())


@pytest.fixture
def other() -> Vault:
    return Vault([Key("k2", bytes(32))], counter())


# --- look-up --------------------------------------------------------------------------------------------------------


def test_a_code_is_found_by_the_same_name_again(one: Vault) -> None:
    assert one.lookups("sun", "ABCD2345")[0] == Vault([Key("k1", SECRET)], counter()).lookups("sun", "ABCD2345")[0]


def test_its_name_tells_nothing_and_differs_by_key_service_and_code(one: Vault, other: Vault) -> None:
    names = [
        one.lookups("sun", "ABCD2345")[0],
        one.lookups("moon", "ABCD2345")[0],
        one.lookups("sun", "ABCD2346")[0],
        one.lookups("sunA", "BCD2345")[0],
        one.lookups("sun", "")[0],
        other.lookups("sun", "ABCD2345")[0],
    ]
    assert len(set(names)) == len(names)
    assert all(len(name) == 20 and "ABCD" not in name for name in names)


# --- sealing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [b"", b"ABCD2345", bytes(range(256)), b"x" * 10_000])
def test_what_was_sealed_opens_in_its_row(one: Vault, plain: bytes) -> None:
    sealed = one.seal(plain, "code_1")
    assert one.open(sealed, "code_1", "k1") == plain
    assert not plain or plain not in sealed


def test_the_same_text_is_never_sealed_alike(one: Vault) -> None:
    assert one.seal(b"ABCD2345", "code_1") != one.seal(b"ABCD2345", "code_1")


def test_it_opens_in_no_other_row_and_with_no_other_key(one: Vault, other: Vault) -> None:
    sealed = one.seal(b"ABCD2345", "code_1")
    with pytest.raises(SmsgwError, match="code_2: the sealed text does not open with key k1"):
        one.open(sealed, "code_2", "k1")
    with pytest.raises(SmsgwError, match="code_1: the sealed text does not open with key k2"):
        other.open(sealed, "code_1", "k2")


def test_it_does_not_open_once_any_octet_has_changed(one: Vault) -> None:
    sealed = one.seal(b"ABCD2345", "code_1")
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :]
        with pytest.raises(SmsgwError):
            one.open(changed, "code_1", "k1")
    for length in range(len(sealed)):
        with pytest.raises(SmsgwError):
            one.open(sealed[:length], "code_1", "k1")


def test_the_error_tells_no_secret(one: Vault) -> None:
    with pytest.raises(SmsgwError) as caught:
        one.open(b"no such thing was ever sealed here", "code_1", "k1")
    assert caught.value.__cause__ is None
    assert "sealed here" not in str(caught.value)


# --- the key file ---------------------------------------------------------------------------------------------------


def test_a_key_that_was_made_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "codes.key"
    make_key(file, lambda count: SECRET[:count])
    found = Vault(read_keys(file), counter())
    assert found.key_id == "k1"
    assert found.lookups("sun", "A")[0] == Vault([Key("k1", SECRET)], counter()).lookups("sun", "A")[0]


def test_it_is_for_its_owner_only_and_nothing_else_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "codes.key"
    before = os.umask(0)
    try:
        make_key(file, lambda count: SECRET[:count])
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    file = tmp_path / "codes.key"
    file.write_text("precious")
    with pytest.raises(FileExistsError):
        make_key(file, lambda count: SECRET[:count])
    assert file.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [file]


def test_a_key_has_its_name_only_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash in between must not leave an empty file that stands in the way of every later start."""
    file = tmp_path / "codes.key"

    def crash(_: int) -> None:
        assert not file.exists()
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", crash)
        with pytest.raises(SystemExit):
            make_key(file, lambda count: SECRET[:count])
    assert not file.exists()
    make_key(file, lambda count: SECRET[:count])
    Vault(read_keys(file), counter())


def test_a_folder_that_is_missing_is_an_error_of_the_machine(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make_key(tmp_path / "missing" / "codes.key", lambda count: SECRET[:count])


def refused(file: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        Vault(read_keys(file), counter())
    [problem] = caught.value.problems
    return problem.removeprefix(f"{file}: ")


def test_a_missing_key_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path / "codes.key") == "the key file cannot be read: No such file or directory"
    assert refused(tmp_path) == "the key file cannot be read: Is a directory"


@pytest.mark.parametrize(
    "text",
    ["", "k1", "k1 not-base64!", f"k1 {b64encode(SECRET).decode()} more", "k1 AAA", "ключ AAAA", "\0"],
)
def test_what_is_no_key_file_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "codes.key"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    assert refused(file) == "not a key file; each of its lines must hold a name of its own and the base64 of 32 bytes"


@pytest.mark.parametrize("size", [16, 31, 33])
def test_a_key_has_32_bytes(tmp_path: Path, size: int) -> None:
    file = tmp_path / "codes.key"
    file.write_text(f"k1 {b64encode(bytes(size)).decode()}\n")
    file.chmod(0o600)
    assert refused(file) == f"the key k1 has {size} bytes; it must have 32"


@pytest.mark.parametrize(("mode", "good"), [(0o600, True), (0o640, True), (0o644, False), (0o601, False)])
def test_what_everybody_may_read_is_no_secret(tmp_path: Path, mode: int, *, good: bool) -> None:
    file = tmp_path / "codes.key"
    file.write_text(f"k1 {b64encode(SECRET).decode()}\n")
    file.chmod(mode)
    if good:
        assert Vault(read_keys(file), counter()).key_id == "k1"
    else:
        assert refused(file) == f"everybody may read the key; run: chmod o= {file}"


def test_a_problem_with_the_key_tells_nothing_of_it(tmp_path: Path) -> None:
    file = tmp_path / "codes.key"
    file.write_text(f"k1 {b64encode(bytes(31)).decode()}\n")
    file.chmod(0o644)
    assert b64encode(bytes(31)).decode()[:8] not in refused(file)
