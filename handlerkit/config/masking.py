"""Texts of others, exceptions above all, without the values that came from outside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handlerkit.settings import MASK

if TYPE_CHECKING:
    from collections.abc import Iterable

# What is shorter is in too many words, and no secret.
_LEAST = 4


def mask(text: str, secrets: Iterable[str]) -> str:
    """Give a text with ``***`` for each secret, as it is or as repr has it."""
    forms = {
        form
        for secret in secrets
        if len(secret) >= _LEAST
        for form in (secret, repr(secret)[1:-1])
    }
    if not forms:
        return text
    longest_first = sorted(forms, key=len, reverse=True)
    return re.sub(
        "|".join(map(re.escape, longest_first)), MASK, text, flags=re.IGNORECASE
    )
