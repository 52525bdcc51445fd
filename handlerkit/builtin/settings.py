"""Settings of the built-in plugins; imported only to validate a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

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


class TextLogSettings(_Settings):
    """``[plugins.text-log]``."""

    tracebacks: int = Field(
        default=3,
        ge=0,
        description="How many errors of an interval that came from one and the same "
        "place are written with their frames; 0 for all of them.",
    )
    interval: float = Field(
        default=60.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds, after which the next error from there has its frames.",
    )


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


class ProxyHeadersSettings(_Settings):
    """``[plugins.proxy-headers]``; whom to trust is ``[proxies] trusted``."""

    family: Literal["x-forwarded", "forwarded"] = Field(
        default="x-forwarded",
        description="What the proxies write: X-Forwarded-*, or Forwarded (RFC 7239).",
    )
    host: bool = Field(default=False, description="Whether to believe the host.")
    port: bool = Field(
        default=False, description="Whether to believe X-Forwarded-Port."
    )
    prefix: bool = Field(
        default=False,
        description="Whether to put X-Forwarded-Prefix before SCRIPT_NAME.",
    )

    @field_validator("port", "prefix")
    @classmethod
    def _check_family(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic calls it
        if value and info.data.get("family") == "forwarded":
            raise ValueError("Forwarded (RFC 7239) has no such parameter")
        return value


class TraceContextSettings(_Settings):
    """``[plugins.trace-context]``; whom to trust is ``[proxies] trusted``."""

    generate: bool = Field(
        default=False, description="Whether to begin a trace where none is taken over."
    )


class AccessLogSettings(_Settings):
    """``[plugins.access-log]``."""

    format: Literal["combined", "json"] = Field(
        default="combined", description="How a line is written."
    )
    path: str | None = Field(
        default=None,
        description="The file to append to; wsgi.errors where there is none.",
        examples=["/var/log/shop/access.log"],
    )
    query: bool = Field(
        default=False,
        description="Whether to log query strings, of the referer too; redacted.",
    )
    extras: tuple[
        Literal["outcome", "first_byte", "duration", "report_id", "request_id"], ...
    ] = Field(
        default=(),
        strict=False,
        description="What to add to a combined line; JSON has it all.",
    )

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str | None) -> str | None:
        # Where a server starts is not where its configuration lies.
        if path is not None and not Path(path).is_absolute():
            raise ValueError("must be an absolute path")
        return path

    @field_validator("extras")
    @classmethod
    def _check_extras(
        cls, extras: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        if extras and info.data.get("format") == "json":
            raise ValueError('are for format = "combined": JSON has all of them')
        return extras


_URLS = ("https://", "http://", "/", "mailto:", "tel:")


def _url(text: str) -> str:
    """Check the target of a link."""
    if not text.startswith(_URLS):
        raise ValueError(f"must begin with one of {', '.join(_URLS)}")
    if not text.isprintable() or " " in text:
        raise ValueError("a URL has no blanks")
    return text


def _language(tag: str) -> str:
    """Check a language tag, by its alphabet only (RFC 5646, 2.1)."""
    parts = tag.split("-")
    if not tag.isascii() or not all(p.isalnum() and len(p) < 9 for p in parts):  # noqa: PLR2004 - the longest subtag
        raise ValueError('must be a language tag, like "en" or "pt-BR"')
    return tag


def _header_value(text: str) -> str:
    """Check what goes into a header as it is."""
    if not text.isascii() or not text.isprintable() or text != text.strip():
        raise ValueError("must be printable ASCII: it is sent as a header")
    return text


def _status_pattern(text: str) -> str:
    """Check a status code of an error, or a class of them."""
    number = text.replace("xx", "00") if text[1:] == "xx" else text
    if len(text) != 3 or number[0] not in "45" or not number.isdecimal():  # noqa: PLR2004 - digits of a status
        raise ValueError('must be a status like "500", or a class, "4xx" or "5xx"')
    return text


def _own_page(text: str) -> str:
    """Check a page that a deployer has written."""
    if "<" not in text:
        raise ValueError('must be HTML: name a file as { file = "pages/500.html" }')
    return text


Url = Annotated[str, AfterValidator(_url)]
Text = Annotated[str, Field(min_length=1)]
Format = Literal["text", "html", "problem", "json"]


class ErrorPageSettings(_Settings):
    """``[plugins.error-page]``."""

    formats: tuple[Format, ...] = Field(
        default=("text", "html", "problem", "json"),
        strict=False,
        min_length=1,
        description="Formats; the first answers who takes anything, or none of them.",
    )
    title: Text = Field(
        default="Something went wrong",
        description="Title where the server failed (5xx).",
    )
    message: Text = Field(
        default="The server could not complete this request. "
        "It may help to try again later.",
        description="Message where the server failed.",
    )
    refused_title: Text = Field(
        default="This request cannot be served",
        description="Title where the request is at fault (4xx).",
    )
    refused_message: Text = Field(
        default="The server does not accept the request as it was sent.",
        description="Message where the request is at fault.",
    )
    language: Annotated[str, AfterValidator(_language)] = Field(
        default="en", description="The language of these texts."
    )
    id_label: Text = Field(
        default="Error id", description="What the id of the report is called."
    )
    home: Url | None = Field(
        default=None, description="A page to go on from.", examples=["/"]
    )
    home_label: Text = Field(default="Home page", description="What it is called.")
    contact: Url | None = Field(
        default=None,
        description="Whom to ask.",
        examples=["mailto:help@example.org"],
    )
    contact_label: Text = Field(default="Contact", description="What it is called.")
    retry_after: int | None = Field(
        default=None,
        ge=1,
        description="Seconds after which to try again (Retry-After of 5xx).",
        examples=[30],
    )
    static: dict[
        Annotated[str, AfterValidator(_status_pattern)],
        Annotated[str, AfterValidator(_own_page)],
    ] = Field(
        default_factory=dict,
        description='HTML of your own, by status: { "5xx" = { file = "5xx.html" } }.',
    )
    static_policy: Annotated[str, AfterValidator(_header_value)] = Field(
        default="default-src 'none'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        description="Content-Security-Policy of HTML of your own.",
    )

    @field_validator("formats")
    @classmethod
    def _check_formats(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(formats)) != len(formats):
            raise ValueError("names a format twice")
        return formats
