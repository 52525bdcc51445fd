"""The command line: the only place of handlerkit that prints and exits."""

from handlerkit.cli.main import main

__all__ = ["main"]
