"""Settings of the built-in plugins; imported only to validate a configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

_REQUIRED = ("REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL")
_TOKEN = frozenset("!#$%&'*+-.^`|~")
_UNUSABLE = {
    "HTTP_CONTENT_TYPE": "CONTENT_TYPE",
    "HTTP_CONTENT_LENGTH": "CONTENT_LENGTH",
}


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def _key(name: str) -> str:
    """Check the name of an environ key."""
    if not name or not name.isprintable() or "=" in name:
        raise ValueError("an environ key must be printable, and not empty")
    return name


def _own_key(name: str) -> str:
    """Check the name of an environ key that is set, or dropped."""
    if name.startswith("wsgi."):
        raise ValueError(f"{name} belongs to the handler (PEP 3333)")
    if name in _UNUSABLE:
        raise ValueError(f"PEP 3333 has no {name}, the key is {_UNUSABLE[name]}")
    return _key(name)


def _droppable(name: str) -> str:
    """Check the name of an environ key that is to be dropped."""
    if name in _REQUIRED:
        raise ValueError(f"{name} must be there for every application (PEP 3333)")
    return _own_key(name)


Key = Annotated[str, AfterValidator(_key)]
OwnKey = Annotated[str, AfterValidator(_own_key)]
Droppable = Annotated[str, AfterValidator(_droppable)]


class EnvironSettings(_Settings):
    """``[plugins.environ]``: copy first, then drop, then set."""

    values: dict[OwnKey, str] = Field(
        default_factory=dict, alias="set", description="Values of keys."
    )
    drop: tuple[Droppable, ...] = Field(
        default=(), strict=False, description="Keys to take out."
    )
    copies: dict[OwnKey, Key] = Field(
        default_factory=dict, alias="copy", description="New keys, and what to copy."
    )

    @field_validator("values")
    @classmethod
    def _check_values(cls, values: dict[str, str]) -> dict[str, str]:
        for name, value in values.items():
            if "." not in name and any(char > "\xff" for char in value):
                raise ValueError(f"{name} must be latin-1, as CGI variables are")
        root = values.get("SCRIPT_NAME", "")
        if root and (root[0] != "/" or root == "/"):
            raise ValueError('SCRIPT_NAME must be empty, or like "/app"')
        return values


class RequestIdSettings(_Settings):
    """``[plugins.request-id]``."""

    header: str = Field(
        default="X-Request-ID", description="The header that has the id."
    )

    @field_validator("header")
    @classmethod
    def _check_header(cls, header: str) -> str:
        # An underscore would be read as a hyphen on its way through CGI.
        if not header or not all(
            char in _TOKEN or (char.isascii() and char.isalnum()) for char in header
        ):
            raise ValueError("must be the name of a header, without underscores")
        return header
