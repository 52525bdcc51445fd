"""Did you mean …? For names that users type; imports what it needs when asked."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Give ``did you mean "x"?`` for the candidate nearest to a word, else ``""``."""
    from difflib import get_close_matches

    folded = {
        candidate.lower().replace("_", "-"): candidate for candidate in candidates
    }
    near = get_close_matches(word.lower().replace("_", "-"), folded, n=1)
    return f'did you mean "{folded[near[0]]}"?' if near else ""
