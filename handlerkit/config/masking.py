"""Texts of others, exceptions above all, without the values that came from outside."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from handlerkit.settings import MASK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# What is shorter is in too many words, and no secret.
_LEAST = 4


def mask(text: str, secrets: Iterable[str]) -> str:
    """Give a text with ``***`` for each secret, as it is or as repr has it."""
    return masker(secrets)(text)


def masker(secrets: Iterable[str]) -> Callable[[str], str]:
    """Give what masks secrets, as `mask` does, in many texts."""
    forms = {
        form
        for secret in secrets
        if len(secret) >= _LEAST
        for form in (secret, repr(secret)[1:-1])
    }
    if not forms:
        return str
    longest_first = sorted(forms, key=len, reverse=True)
    rule = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
    return partial(rule.sub, MASK)
