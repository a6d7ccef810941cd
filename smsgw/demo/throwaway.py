"""A configuration made for the occasion: real files in a folder, as an administrator would write them."""

import json
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct


class Shelf(Struct, frozen=True, kw_only=True):
    """What a merchant sells for a YES, besides."""

    merchant: str
    title: str
    support: str
    return_url: str
    country: str  # of the phones, ISO 3166
    prefix: str  # of their numbers
    currency: str
    goods: dict[int, int]  # units of gold: what they cost, in minor units
    billed_from: int  # short code of the billed messages of the first; the next ones follow


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
    shelf: Shelf | None = None


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
    shelf = occasion.shelf
    charging = ""
    if shelf is not None:
        link |= {"country": shelf.country, "prefixes": [shelf.prefix], "carriers": ["Demo Mobile"]}
        charging = _toml({"way": "mt", "proof": "response"}, "charging.premium")
        (folder / "merchants").mkdir(exist_ok=True)
        file = folder / "merchants" / f"{shelf.merchant}.toml"
        file.write_text(_shelf(shelf, occasion.short_code), encoding="utf-8")
    (folder / "links" / "operator.toml").write_text(_toml(link) + charging, encoding="utf-8")
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


def _shelf(shelf: Shelf, short_code: str) -> str:
    """Return a merchant's file; its questions come from the short code that the phone shows anyway."""
    merchant = {
        "title": shelf.title,
        "support": shelf.support,
        "reply_addresses": [short_code],
        "return_url": shelf.return_url,
        "checkout_open": True,
    }
    text = _toml(merchant)
    for number, (units, amount_minor) in enumerate(shelf.goods.items()):
        name = f"gold-{units}"
        text += _toml({"units": units, "tariffs": [name]}, f"products.{name}")
        text += _toml({language: title.format(units) for language, title in _TITLES.items()}, f"products.{name}.title")
        text += _toml({"amount_minor": amount_minor, "currency": shelf.currency}, f"tariffs.{name}")
        charge = {"charge": "premium", "short_code": str(shelf.billed_from + number)}
        text += _toml(charge, f"tariffs.{name}.operators.operator")
    return text


_TITLES = {"en": "{} gold", "bg": "{} злато", "uk": "{} золотих", "ru": "{} золотых"}


def _toml(values: Mapping[str, object], table: str = "") -> str:
    """Return a table; the strings, numbers and lists of JSON are those of TOML."""
    head = f"\n[{table}]\n" if table else ""
    return head + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
