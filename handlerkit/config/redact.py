"""``[redact]``: what is taken out of whatever leaves the process."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from handlerkit.config.table import Array, Table


def _check_replacement(text: str) -> str:
    """Check what stands in the place of a secret: it must not look like one."""
    plain = text.replace("-", "").replace("_", "").strip("[]<>()*{}")
    if not text or not (plain.isalnum() or not plain):
        raise ValueError('must be one word, in brackets or not, as "[redacted]"')
    return text


class RedactSettings(Table):
    """What is taken out of reports, logs and pages before they leave the process."""

    enabled: bool = Field(
        default=True, description="Whether anything is taken out at all."
    )
    keys: Array[Annotated[str, Field(min_length=1)]] = Field(
        default=(),
        description="More words that make a name sensitive, where it contains one.",
    )
    allow_keys: Array[Annotated[str, Field(min_length=1)]] = Field(
        default=(), description="Names that are not sensitive, whatever they contain."
    )
    patterns: bool = Field(
        default=True,
        description="Whether to look for forms of secrets: passwords in URLs, bearer "
        "and JWT tokens, PEM blocks, keys of cloud services.",
    )
    environment_values: bool = Field(
        default=True,
        description="Whether to look for the values of sensitive process variables.",
    )
    query: Literal["keys", "filtered", "drop"] = Field(
        default="keys",
        description='Of a query string: "keys" shows the names alone, "filtered" '
        'values of harmless names too, "drop" nothing.',
    )
    locals: bool = Field(
        default=False,
        description="Whether reports show local variables, short and redacted.",
    )
    max_string: int = Field(
        default=4096, ge=64, description="Characters of a text; the rest is cut off."
    )
    max_depth: int = Field(
        default=8, ge=1, le=50, description="Levels of nested values that are shown."
    )
    replacement: Annotated[str, AfterValidator(_check_replacement)] = Field(
        default="[redacted]", description="What stands in the place of a secret."
    )
