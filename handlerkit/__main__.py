"""``python -m handlerkit`` and ``handlerkit``: the command line.

``handlerkit cgi`` is run here, where its options are plain: a CGI process would pay for
argparse, and for all the other commands, with each request.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_CONFIG = "handlerkit.toml"


def main() -> "NoReturn":
    """Run the command line; always ends in SystemExit."""
    config = _config_of_cgi(sys.argv[1:])
    if config is None:
        if sys.argv[1:2] == ["serve"]:
            # What the command line imports takes a while, and SIGHUP is no reason
            # to end meanwhile.
            from handlerkit.gateways.hangups import Hangups

            Hangups().take()
        from handlerkit.cli import main as run

        run()
    from handlerkit.kit import run_cgi

    raise SystemExit(run_cgi(config))


def _config_of_cgi(arguments: list[str]) -> str | None:
    """Give the file of ``handlerkit cgi``; None where argparse is to have its say."""
    command, options = arguments[:1], arguments[1:]
    if command != ["cgi"]:
        return None
    if not options:
        return _CONFIG if os.path.exists(_CONFIG) else None  # noqa: PTH110 - pathlib is dear
    if options[:-1] in (["-c"], ["--config"]) and options[-1][:1] != "-":
        return options[-1]
    return None


if __name__ == "__main__":
    main()
