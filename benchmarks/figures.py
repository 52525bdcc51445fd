"""Paired figures: two things measured in turn, and the ratio pair by pair."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Figure:
    """One line of the results: ours and the peer's, and their ratio per pair."""

    what: str
    unit: str
    ours: float
    peer: float
    ratios: tuple[float, ...]
    must: str
    goal: str

    def row(self) -> str:
        """Give the line as Markdown."""
        low, high = min(self.ratios), max(self.ratios)
        ratio = statistics.median(self.ratios)
        return (
            f"| {self.what} | {self.ours:.2f} {self.unit} | {self.peer:.2f} "
            f"{self.unit} | **{ratio:.2f}** | {low:.2f} to {high:.2f} "
            f"| {self.must} | {self.goal} |"
        )


def paired(
    ours: Callable[[], float], peer: Callable[[], float], rounds: int
) -> tuple[float, float, tuple[float, ...]]:
    """Measure two things in turn; give both medians and the ratios."""
    ours(), peer()
    pairs = [(ours(), peer()) for _ in range(rounds)]
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        tuple(a / b for a, b in pairs),
    )


def machine() -> str:
    """Say what was measured on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = f"{len(names)} x {names[0]}" if names else model
    return f"{model}, {platform.system()}, Python {platform.python_version()}"


def load() -> str:
    """Give the load average of the last 1, 5 and 15 minutes."""
    return ", ".join(f"{each:.1f}" for each in os.getloadavg())


def write(path: Path, figures: Sequence[Figure], notes: str) -> None:
    """Write the results."""
    rows = "\n".join(figure.row() for figure in figures)
    path.write_text(
        f"""# Results

Measured on {datetime.now(tz=UTC).date().isoformat()}: {machine()}.
Load average when it was done: {load()}; what it does not owe to us counts, too.
Median of paired runs; the ratio is taken pair by pair, its spread is min to max.
All rules and limits are active. Made by `make bench`.

| what | handlerkit | peer | ratio | spread | must | goal |
|---|---|---|---|---|---|---|
{rows}

{notes}""",
        encoding="utf-8",
    )
