"""Fuzz a parser, guided by coverage: ``python -m tests.fuzz fastcgi [OPTION…]``.

The options are libFuzzer's, ``-max_total_time=600`` for one. It starts from the wire
cases and from tests/fuzz/corpus, which holds what ten minutes of it found beyond them.
What it finds goes to a new directory, named at the start. To keep that in the corpus::

    python -m tests.fuzz fastcgi -merge=1 tests/fuzz/corpus/fastcgi DIRECTORY
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["handlerkit.protocols"]):
    from tests.fuzz.targets import SEEDS, TARGETS

HERE = Path(__file__).parent
# Inputs are short, so that there are many; a hang or a growth is a finding, too.
OPTIONS = ("-max_len=640", "-timeout=100", "-rss_limit_mb=512")


def main(name: str, *options: str) -> None:
    again = f"{sys.executable} -m tests.fuzz {name}"  # as libFuzzer starts it anew
    arguments = [again, *OPTIONS, *options]
    if all(option.startswith("-") for option in options):
        found = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
        print(f"what is found goes to {found}", file=sys.stderr)
        seeds = found / "seeds"
        seeds.mkdir()
        for number, seed in enumerate(SEEDS[name]()):
            (seeds / str(number)).write_bytes(seed)
        new = found / "new"
        new.mkdir()
        arguments += [f"-artifact_prefix={found}/"]
        arguments += map(str, (new, seeds, HERE / "corpus" / name))
    atheris.Setup(arguments, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
