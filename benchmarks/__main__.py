"""Measure everything, and rewrite RESULTS.md: ``python -m benchmarks``."""

from __future__ import annotations

from pathlib import Path

from benchmarks import failing, hosted, in_process, one_shot
from benchmarks.figures import write

NOTES = Path(__file__).with_name("NOTES.md")

if __name__ == "__main__":
    write(
        Path(__file__).with_name("RESULTS.md"),
        [
            *in_process.figures(),
            *failing.figures(),
            *one_shot.figures(),
            *hosted.figures(),
        ],
        NOTES.read_text(encoding="utf-8") if NOTES.exists() else "",
    )
