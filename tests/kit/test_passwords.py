"""The operators' passwords: each that cannot be used is named with its file, all at once, and none is ever told."""

from pathlib import Path

import pytest

from smsgw.errors import SettingsError
from smsgw.kit.passwords import Passwords, Secret, problems, read_credentials, read_passwords
from smsgw.kit.systemd import Systemd
from smsgw.settings import ChargeProfile, Configuration, LinkSettings, Settings

NOBODY = Systemd({})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A password file in which nothing is wrong."""
    (tmp_path / "links").mkdir()
    return write(tmp_path / "links" / "north.password", b"secret\n")


def write(file: Path, octets: bytes, mode: int = 0o600) -> Path:
    file.write_bytes(octets)
    file.chmod(mode)
    return file


def configuration(folder: Path, **password_files: str) -> Configuration:
    links = {
        name: LinkSettings(host="x", port=1, system_id="us", password_file=password_file)
        for name, password_file in password_files.items()
    }
    return Configuration(file=folder / "smsgw.toml", state_dir=folder, main=Settings(), links=links, services={})


def revealed(one: Configuration, systemd: Systemd) -> dict[str, str]:
    return {name: passwords.bind.reveal() for name, passwords in read_passwords(one, systemd).items()}


def found(folder: Path, systemd: Systemd = NOBODY, **password_files: str) -> list[str]:
    """What is wrong, with the folder's name left out."""
    told = problems(configuration(folder, **password_files), systemd)
    return [problem.replace(f"{folder}/links/", "") for problem in told]


@pytest.mark.parametrize("octets", [b"secret", b"secret\n", b" secret \r\n", b"8letters", b"a b"])
def test_a_password_is_what_stands_in_its_file(tmp_path: Path, file: Path, octets: bytes) -> None:
    write(file, octets)
    one = configuration(tmp_path, north=file.name)
    assert revealed(one, NOBODY) == {"north": octets.strip().decode()}
    assert problems(one, NOBODY) == []


def test_the_group_may_read_it(tmp_path: Path, file: Path) -> None:
    file.chmod(0o640)
    assert found(tmp_path, north=file.name) == []


@pytest.mark.parametrize(
    ("octets", "mode", "told"),
    [
        (b"", 0o600, "is empty; write the operator's password into it"),
        (b" \n", 0o600, "is empty; write the operator's password into it"),
        (b"9 letters", 0o600, "not a password that SMPP can carry; allowed are 1 to 8 characters of ASCII"),
        ("тайна".encode(), 0o600, "not a password that SMPP can carry; allowed are 1 to 8 characters of ASCII"),
        (b"a\0b", 0o600, "not a password that SMPP can carry; allowed are 1 to 8 characters of ASCII"),
        (b"two\nrows", 0o600, "not a password that SMPP can carry; allowed are 1 to 8 characters of ASCII"),
        (b"\xff\xfe", 0o600, "not a password that SMPP can carry; allowed are 1 to 8 characters of ASCII"),
        (b"secret", 0o644, "everybody may read the password; run: chmod o= north.password"),
        (b"secret", 0o602, "everybody may read the password; run: chmod o= north.password"),
    ],
)
def test_what_is_no_password_is_told_without_it(
    tmp_path: Path, file: Path, octets: bytes, mode: int, told: str
) -> None:
    write(file, octets, mode)
    assert found(tmp_path, north=file.name) == [f"north.toml: password_file: north.password: {told}"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing", "No such file or directory"), ("", "Is a directory"), ("a\0b", "embedded null byte")],
)
def test_a_file_that_cannot_be_read_is_told_with_what_to_do(tmp_path: Path, file: Path, name: str, reason: str) -> None:
    [problem] = found(tmp_path, north=name)
    assert problem.startswith("north.toml: password_file: ")
    assert problem.endswith(f": {reason}; write the operator's password into this file, chmod 600")


def test_all_that_is_wrong_with_one_is_told_at_once(tmp_path: Path, file: Path) -> None:
    write(file, b"9 letters", 0o644)
    assert len(found(tmp_path, north=file.name)) == 2


def test_all_are_told_at_once(tmp_path: Path, file: Path) -> None:
    wrong = configuration(tmp_path, north=file.name, south="missing", west="missing")
    with pytest.raises(SettingsError) as caught:
        read_passwords(wrong, NOBODY)
    assert [Path(problem.split(": ")[0]).name for problem in caught.value.problems] == ["south.toml", "west.toml"]


def test_a_credential_of_the_service_manager_goes_before_the_file(tmp_path: Path, file: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    write(credentials / "north.password", b"better")
    systemd = Systemd({"CREDENTIALS_DIRECTORY": str(credentials)})
    assert revealed(configuration(tmp_path, north=file.name), systemd) == {"north": "better"}
    assert revealed(configuration(tmp_path, north=f"./{file.name}"), systemd) == {"north": "secret"}


def test_the_smsc_s_own_password_is_looked_at_as_well(tmp_path: Path, file: Path) -> None:
    write(tmp_path / "links" / "smsc.password", b"9 letters")
    given = LinkSettings(
        listen="127.0.0.1:1",
        system_id="us",
        password_file=file.name,
        outbind_system_id="smsc",
        outbind_password_file="smsc.password",
    )
    one = configuration(tmp_path)
    one.links["north"] = given
    [problem] = problems(one, NOBODY)
    assert problem.split(": ")[1:3] == ["outbind_password_file", str(tmp_path / "links" / "smsc.password")]
    write(tmp_path / "links" / "smsc.password", b"theirs")
    outbind = read_passwords(one, NOBODY)["north"].outbind
    assert outbind is not None
    assert outbind.matches("theirs")


def charging(folder: Path, **files: str) -> Configuration:
    """A link with a charge profile for each file; its password is right."""
    profiles = {name: ChargeProfile(way="direct", credentials_file=file) for name, file in files.items()}
    link = LinkSettings(
        host="x",
        system_id="us",
        password_file="north.password",
        charging={**profiles, "billed": ChargeProfile(way="mt")},
    )
    return Configuration(
        file=folder / "smsgw.toml", state_dir=folder, main=Settings(), links={"north": link}, services={}
    )


def test_credentials_of_charging_apis_belong_to_link_and_profile(tmp_path: Path, file: Path) -> None:
    write(tmp_path / "links" / "api.secret", b"user:pass word\n")
    write(tmp_path / "links" / "api.token", b"t" * 4_096)
    one = charging(tmp_path, wallet="api.secret", vouchers="api.token")
    found_there = {key: secret.reveal() for key, secret in read_credentials(one, NOBODY).items()}
    assert found_there == {("north", "wallet"): "user:pass word", ("north", "vouchers"): "t" * 4_096}
    assert problems(one, NOBODY) == []


def test_credentials_may_come_from_the_service_manager(tmp_path: Path, file: Path) -> None:
    (tmp_path / "credentials").mkdir()
    write(tmp_path / "credentials" / "api.secret", b"better")
    systemd = Systemd({"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")})
    found_there = read_credentials(charging(tmp_path, wallet="api.secret"), systemd)
    assert found_there["north", "wallet"].reveal() == "better"


@pytest.mark.parametrize(
    ("octets", "mode", "told"),
    [
        (b"", 0o600, "is empty; write the operator's credentials into it"),
        (b"t" * 4_097, 0o600, "no credentials that HTTP can carry; allowed are 1 to 4096 characters of ASCII"),
        (
            b"two\r\nX-Header: rows",
            0o600,
            "no credentials that HTTP can carry; allowed are 1 to 4096 characters of ASCII",
        ),
        ("тайна".encode(), 0o600, "no credentials that HTTP can carry; allowed are 1 to 4096 characters of ASCII"),
        (b"token", 0o604, "everybody may read the credentials; run: chmod o= {file}"),
    ],
)
def test_what_are_no_credentials_is_told_without_them(
    tmp_path: Path, file: Path, octets: bytes, mode: int, told: str
) -> None:
    secret = write(tmp_path / "links" / "api.secret", octets, mode)
    one = charging(tmp_path, wallet="api.secret")
    place = f"{tmp_path / 'links' / 'north.toml'}: charging.wallet.credentials_file: {secret}"
    assert problems(one, NOBODY) == [f"{place}: {told.replace('{file}', str(secret))}"]
    with pytest.raises(SettingsError, match=r"charging\.wallet\.credentials_file"):
        read_credentials(one, NOBODY)


def test_credentials_that_are_not_there_are_told_with_what_to_do(tmp_path: Path, file: Path) -> None:
    [problem] = problems(charging(tmp_path, wallet="missing"), NOBODY)
    assert problem.endswith("No such file or directory; write the operator's credentials into this file, chmod 600")


def test_a_secret_is_not_seen_by_accident() -> None:
    secret = Secret("pa55w0rd")
    assert "pa55w0rd" not in f"{secret} {secret!r} {[secret]} {Passwords(bind=secret, outbind=secret)}"
    assert [secret.matches(text) for text in ("pa55w0rd", "pa55w0r", "", "ключ")] == [True, False, False, False]
    assert secret.reveal() == "pa55w0rd"
