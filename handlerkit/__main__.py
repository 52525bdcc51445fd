"""``python -m handlerkit``: the command line."""

from handlerkit.cli import main

if __name__ == "__main__":
    main()
