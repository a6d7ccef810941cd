"""A configuration made for the occasion: real files in a folder, as an administrator would write them."""

import json
from pathlib import Path

from msgspec import Struct


class Occasion(Struct, frozen=True, kw_only=True):
    """What the files say."""

    folder: Path
    smsc_port: int
    verify_port: int
    password: str
    short_code: str
    keyword: str
    reply: str
    site_url: str
    service: str
    title: str = ""
    price: str = ""
    valid_for_s: int = 86_400
    length: int = 8
    window: int = 10
    log_destination: str = "auto"
    log_level: str = "info"


def write(occasion: Occasion) -> Path:
    """Write the settings' files; return the main one. The state folder beside them is left as it is."""
    folder = occasion.folder
    for name in ("links", "services", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    main = folder / "smsgw.toml"
    main.write_text(
        _toml({"state_dir": "state"})
        + _toml({"host": "127.0.0.1", "port": occasion.verify_port}, "web")
        + _toml({"destination": occasion.log_destination, "level": occasion.log_level}, "log")
        + _toml({"unknown_keyword": f"Please send {occasion.keyword} to {occasion.short_code}."}, "answers"),
        encoding="utf-8",
    )
    password = folder / "links" / "operator.password"
    password.write_text(f"{occasion.password}\n", encoding="utf-8")
    password.chmod(0o600)
    link = {
        "host": "127.0.0.1",
        "port": occasion.smsc_port,
        "system_id": "smsgw",
        "password_file": password.name,
        "window": occasion.window,
    }
    (folder / "links" / "operator.toml").write_text(_toml(link), encoding="utf-8")
    service = {
        "short_code": occasion.short_code,
        "keywords": [occasion.keyword],
        "title": occasion.title,
        "price": occasion.price,
        "reply": occasion.reply,
        "length": occasion.length,
        "valid_for_s": occasion.valid_for_s,
        "success_url": f"{occasion.site_url}/paid",
        "expired_url": f"{occasion.site_url}/expired",
        "invalid_url": f"{occasion.site_url}/invalid",
    }
    (folder / "services" / f"{occasion.service}.toml").write_text(_toml(service), encoding="utf-8")
    return main


def _toml(values: dict[str, object], table: str = "") -> str:
    """Return a table; the strings, numbers and lists of JSON are those of TOML."""
    head = f"\n[{table}]\n" if table else ""
    return head + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
