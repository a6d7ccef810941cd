"""Kinds of values that several settings share."""

from typing import Annotated

from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}\Z")]
Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(ge=0.001, le=86_400 * 366)]
Host = Annotated[str, Meta(min_length=1)]
Ton = Annotated[int, Meta(ge=0, le=6)]
Npi = Annotated[int, Meta(ge=0, le=18)]
Status = Annotated[int, Meta(ge=1, le=0xFFFFFFFF)]
