"""TLS towards an SMSC: the certificates that settings name, and why one of the peer's is not accepted, in one sentence.

The peer is always verified: its certificate, the chain above it, and its name.
"""

import ssl
from pathlib import Path
from typing import Final

from smsgw.errors import SettingsError
from smsgw.settings import Configuration, LinkSettings

_EVERYBODY: Final = 0o007  # rights of those who are neither the owner nor of the group

# OpenSSL's X509_V_ERR_… (x509_vfy.h)
_REASONS: Final = {
    9: "is not valid yet; is this machine's clock right",
    10: "has expired; the operator must renew it",
    18: "is signed by itself and not trusted; put it into tls_ca_file",
    19: "has an issuer that is not trusted; put the issuer's certificate into tls_ca_file",
    20: "has an unknown issuer; put the issuer's certificate into tls_ca_file",
    21: "has an unknown issuer; put the issuer's certificate into tls_ca_file",
    23: "was revoked; ask the operator",
    62: "is for another name; if that is right, set tls_server_name",
    64: "is for another address; if that is right, set tls_server_name",
}


def context(folder: Path, link: LinkSettings) -> ssl.SSLContext | None:
    """Return what a link's connections are made with; None without TLS.

    Args:
        folder: of the link's settings file; names are relative to it.
        link: its settings.

    Raises:
        SettingsError: a file cannot be used; "setting: sentence".
    """
    if not link.tls:
        return None
    made = ssl.create_default_context()  # verifies chain and name
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if link.tls_ca_file:
        made = ssl.create_default_context(cafile=_readable(folder, "tls_ca_file", link.tls_ca_file))
        made.minimum_version = ssl.TLSVersion.TLSv1_2
    if link.tls_certificate:
        certificate = _readable(folder, "tls_certificate", link.tls_certificate)
        key = _readable(folder, "tls_key", link.tls_key) if link.tls_key else None
        _load(made, certificate, key)
    return made


def read_contexts(configuration: Configuration) -> dict[str, ssl.SSLContext | None]:
    """Return each link's context; None without TLS.

    Raises:
        SettingsError: with a sentence for each that cannot be used.
    """
    contexts, found = _read(configuration)
    if found:
        raise SettingsError(found)
    return contexts


def problems(configuration: Configuration) -> list[str]:
    """Find what is wrong with the links' certificates; sentences in the form of settings problems."""
    return _read(configuration)[1]


def _read(configuration: Configuration) -> tuple[dict[str, ssl.SSLContext | None], list[str]]:
    folder = configuration.file.parent / "links"
    contexts: dict[str, ssl.SSLContext | None] = {}
    found: list[str] = []
    for name, link in configuration.links.items():
        try:
            contexts[name] = context(folder, link)
        except SettingsError as error:
            found += [f"{folder / f'{name}.toml'}: {problem}" for problem in error.problems]
    return contexts, found


def reason(error: ssl.SSLError) -> str:
    """Say in one sentence why a connection could not be made safe; names and keys are not told."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the SMSC's certificate {_REASONS.get(error.verify_code) or f'is not valid: {error.verify_message}'}"
    told = (error.reason or "no reason given").replace("_", " ").lower()
    if "certificate required" in told or "alert" in told:
        return f"the SMSC ended the TLS handshake ({told}); does it know the certificate in tls_certificate"
    return f"TLS failed ({told}); does the SMSC speak TLS on this port"


def _readable(folder: Path, setting: str, name: str) -> str:
    file = folder / name
    try:
        octets = file.read_bytes()
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise SettingsError([f"{setting}: {file}: {why}"]) from None
    if b"PRIVATE KEY-----" in octets and file.stat().st_mode & _EVERYBODY:
        raise SettingsError([f"{setting}: {file}: everybody may read the key; run: chmod o= {file}"])
    if setting == "tls_ca_file" and b"-----BEGIN CERTIFICATE-----" not in octets:
        raise SettingsError([f"{setting}: {file}: there is no certificate in it; allowed are files in PEM form"])
    return str(file)


def _load(made: ssl.SSLContext, certificate: str, key: str | None) -> None:
    setting, file = ("tls_key", key) if key else ("tls_certificate", certificate)
    try:
        made.load_cert_chain(certificate, key, password=lambda: "")  # nobody sits there to type one
    except (ssl.SSLError, OSError) as error:
        told = error.reason if isinstance(error, ssl.SSLError) else None
        if told == "KEY_VALUES_MISMATCH":
            why = "the key does not belong to the certificate"
        else:
            why = "certificate and key cannot be read; allowed are files in PEM form, the key without a passphrase"
        raise SettingsError([f"{setting}: {file}: {why}"]) from None
