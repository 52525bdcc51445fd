"""Measure, and rewrite RESULTS.md: ``python -m benchmarks``.

With names, ``python -m benchmarks in_process hosted``, only those are measured, and
printed.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from benchmarks.figures import write

NOTES = Path(__file__).with_name("NOTES.md")

# Each is a module of this package and its function that gives figures.
BENCHMARKS = {
    "in_process": "figures",
    "failing": "figures",
    "one_shot": "figures",
    "files": "figures",
    "hosted": "figures",
    "built_in": "figures",
    "built_in:memory": "memory_figures",
    "fronted": "figures",
    "fronted:sizes": "size_figures",
    "fronted:memory": "memory_figures",
    "fronted:files": "file_figures",
}


def measure(name: str) -> list:
    """Run one benchmark; say which, for it takes its time."""
    print(f"benchmarks: {name}", file=sys.stderr, flush=True)
    module = import_module(f"benchmarks.{name.partition(':')[0]}")
    return getattr(module, BENCHMARKS[name])()


if __name__ == "__main__":
    wanted = sys.argv[1:]
    found = [figure for name in wanted or BENCHMARKS for figure in measure(name)]
    if wanted:
        print(*(figure.row() for figure in found), sep="\n")
    else:
        write(
            Path(__file__).with_name("RESULTS.md"),
            found,
            NOTES.read_text(encoding="utf-8") if NOTES.exists() else "",
        )
