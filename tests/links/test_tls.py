"""TLS to an SMSC: the peer is always verified, a bad certificate is one clear line, ours is shown when asked for."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from smsgw.errors import SettingsError
from smsgw.kit import tls
from smsgw.kit.passwords import Passwords, Secret
from smsgw.links.link import Link
from tests.links.doubles import Inbox, ports, settings
from tests.peers.plain_smsc import PASSWORD, Line, PlainSmsc

if TYPE_CHECKING:
    from smsgw.flows.receive import Receiver

DAY: Final = dt.timedelta(days=1)


class Issuer(NamedTuple):
    """Who signs certificates."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, file: Path) -> str:
        file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return str(file)


def make(name: str, by: Issuer | None, *, from_days: int = -2, to_days: int = 2, authority: bool = False) -> Issuer:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    address: x509.GeneralName = x509.DNSName(name)
    with contextlib.suppress(ValueError):
        address = x509.IPAddress(ipaddress.ip_address(name))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + from_days * DAY)
        .not_valid_after(now + to_days * DAY)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(by.key if by else key, hashes.SHA256())
    )
    return Issuer(certificate, key)


def write_pair(file: Path, one: Issuer) -> Path:
    private = one.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.touch(0o600)
    file.write_bytes(one.certificate.public_bytes(serialization.Encoding.PEM) + private)
    return file


class Hall(NamedTuple):
    """An SMSC behind TLS, and a link to it."""

    smsc: PlainSmsc
    link: Link


@asynccontextmanager
async def hall(
    folder: Path, shown: Issuer, authority: Issuer, *, ask: bool = False, **changed: Any
) -> AsyncIterator[Hall]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(write_pair(folder / "server.pem", shown))
    authority.write(folder / "ca.pem")
    if ask:
        server.verify_mode = ssl.CERT_REQUIRED
        server.load_verify_locations(folder / "ca.pem")
    smsc = PlainSmsc()
    listening = await asyncio.get_running_loop().create_server(lambda: Line(smsc), "127.0.0.1", 0, ssl=server)
    port = listening.sockets[0].getsockname()[1]
    given = settings(port, tls=True, **({"tls_ca_file": "ca.pem"} | changed))
    passwords, inbox = Passwords(bind=Secret(PASSWORD)), cast("Receiver", Inbox())
    link = Link(ports(), "one", given, passwords, inbox, context=tls.context(folder, given))
    tasks = [asyncio.ensure_future(link._keep(berth)) for berth in link._berths]
    try:
        yield Hall(smsc, link)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        listening.close()
        for line in smsc.lines:
            line.drop()
        await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def authority() -> Issuer:
    return make("authority", None, authority=True)


async def complaint(folder: Path, shown: Issuer, authority: Issuer, **changed: Any) -> str:
    """Return the one line about it."""
    with capture_logs() as logged:
        async with (
            hall(folder, shown, authority, binds=2, credentials_retry_s=60.0, **changed) as one,
            asyncio.timeout(20),
        ):
            while not any(entry["event"] == "link.tls_failed" for entry in logged):  # noqa: ASYNC110 - a line of the log
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
            assert not one.link.bound
            assert [line.heard for line in one.smsc.lines if line.heard] == [], "nothing was said before"
    told = [entry for entry in logged if entry["event"] == "link.tls_failed"]
    assert [entry["log_level"] for entry in told] == ["error"] + ["info"] * (len(told) - 1)
    assert len(told) <= 2, "the next try is a minute away"
    return str(told[0]["error"])


async def test_a_good_certificate_is_good(tmp_path: Path, authority: Issuer) -> None:
    async with hall(tmp_path, make("127.0.0.1", authority), authority) as one:
        await one.smsc.until_bound()
        mo = one.smsc.put("359888123456")
        await one.smsc.until(lambda: mo.acknowledged)


async def test_the_name_may_be_another_one_if_so_set(tmp_path: Path, authority: Issuer) -> None:
    async with hall(tmp_path, make("smsc.example", authority), authority, tls_server_name="smsc.example") as one:
        await one.smsc.until_bound()


async def test_our_certificate_is_shown_when_asked_for(tmp_path: Path, authority: Issuer) -> None:
    write_pair(tmp_path / "ours.pem", make("smsgw", authority))
    shown = make("127.0.0.1", authority)
    async with hall(tmp_path, shown, authority, ask=True, tls_certificate="ours.pem") as one:
        await one.smsc.until_bound()


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "does it know the certificate in tls_certificate"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "does it know the certificate in tls_certificate"),
        ("WRONG_VERSION_NUMBER", "does the SMSC speak TLS on this port"),
    ],
)
def test_what_else_may_be_wrong_is_told_with_what_to_look_at(reason: str, told: str) -> None:
    error = ssl.SSLError(1, "somewhere in a library")
    error.reason = reason
    assert tls.reason(error).endswith(told)


async def test_a_bad_certificate_is_told_by_its_fault(tmp_path: Path, authority: Issuer) -> None:
    expired = make("127.0.0.1", authority, from_days=-9, to_days=-1)
    assert "certificate has expired" in await complaint(tmp_path, expired, authority)
    early = make("127.0.0.1", authority, from_days=1)
    assert "certificate is not valid yet" in await complaint(tmp_path, early, authority)
    assert "is for another address" in await complaint(tmp_path, make("10.0.0.1", authority), authority)
    other = make("other", authority)
    assert "is for another name" in await complaint(tmp_path, other, authority, tls_server_name="smsc.example")
    stranger = make("stranger", None, authority=True)
    assert "unknown issuer" in await complaint(tmp_path, make("127.0.0.1", stranger), authority)
    assert "is signed by itself" in await complaint(tmp_path, make("127.0.0.1", None), authority)


# What check finds


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"tls_ca_file": "none.pem"}, "tls_ca_file: {folder}/none.pem: No such file or directory"),
        ({"tls_ca_file": "key.pem"}, "tls_ca_file: {folder}/key.pem: there is no certificate in it"),
        ({"tls_certificate": "open.pem"}, "tls_certificate: {folder}/open.pem: everybody may read the key"),
        (
            {"tls_certificate": "ours.pem", "tls_key": "key.pem"},
            "tls_key: {folder}/key.pem: the key does not belong to the certificate",
        ),
        (
            {"tls_certificate": "ours.pem", "tls_key": "secret.pem"},
            "tls_key: {folder}/secret.pem: certificate and key cannot be read; allowed are files in PEM form",
        ),
    ],
)
def test_files_that_cannot_be_used_are_named(
    tmp_path: Path, authority: Issuer, changed: dict[str, str], told: str
) -> None:
    write_pair(tmp_path / "ours.pem", make("smsgw", authority))
    write_pair(tmp_path / "open.pem", make("smsgw", authority)).chmod(0o644)
    for name, encryption in (
        ("key.pem", serialization.NoEncryption()),
        ("secret.pem", serialization.BestAvailableEncryption(b"x")),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )
    with pytest.raises(SettingsError) as caught:
        tls.context(tmp_path, settings(1, tls=True, **changed))
    [problem] = caught.value.problems
    assert problem.startswith(told.format(folder=tmp_path))


def test_without_tls_there_is_none(tmp_path: Path) -> None:
    assert tls.context(tmp_path, settings(1)) is None
