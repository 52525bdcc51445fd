"""What is done about a frozen kit that is not as it was frozen any more."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from handlerkit import config
from handlerkit.errors import ConfigError, Fault, HandlerkitError
from handlerkit.kit import changes, frozen, targets
from handlerkit.kit.assembly import read
from handlerkit.kit.freezing import write

if TYPE_CHECKING:
    from handlerkit.kit.assembly import Kit, Source

_CODE = "HK603"
_HINT = 'freeze again, or set on_drift = "rebuild" in [freeze]'


def check(path: Path) -> list[Fault]:
    """Give what keeps the frozen file of a configuration from being taken.

    Raises:
        ConfigError: there is no such configuration.
    """
    directory, name = path.absolute().parent, frozen.frozen_name(path.name)
    config.read(path)
    try:
        constants = frozen.read(str(directory), name)
    except FileNotFoundError:
        return [Fault(_CODE, "it is not there: nothing is frozen", file=name)]
    except Exception as exc:  # noqa: BLE001 - a file may hold anything
        return [Fault(_CODE, f"it is not used: {exc}", file=name)]
    with suppress(ConfigError):
        document, settings, _ = read(path, "cgi")
        targets.join_path(document, settings.app)
    return _faults(changes.since(constants, str(directory), path.name), path)


def _faults(changed: list[str], path: Path) -> list[Fault]:
    name = frozen.frozen_name(path.name)
    return [Fault(_CODE, change, file=name) for change in changed]


def is_to_be_rebuilt(changed: list[str], source: Source) -> bool:
    """Say whether a frozen file that was not taken is stale, and may be made anew.

    Where it is not stale, or the configuration is invalid, loading says what is wrong.

    Raises:
        ConfigError: it is stale, and to be an error: with everything that changed.
    """
    path = Path(str(source))
    faults = _faults(changed, path)
    _, settings, invalid = read(path, "cgi")
    if not faults or invalid:
        return False
    if settings.freeze.on_drift == "rebuild":
        return True
    faults[-1].hint = _HINT
    raise ConfigError(faults)


def rebuild(kit: Kit, source: Source) -> None:
    """Freeze anew what was just loaded; where that cannot be, say so, and go on."""
    try:
        write(kit, Path(str(source)))
    except (HandlerkitError, OSError) as exc:
        name = frozen.frozen_name(Path(str(source)).name)
        sys.stderr.write(f"handlerkit: {name} is stale, and stays so: {exc}\n")


def not_loaded(source: Source, target: str, exc: BaseException) -> ConfigError:
    """Make the error for an application that does not import."""
    return _of_file(source, targets.not_loaded(target, exc))


def not_callable(source: Source, target: str, application: object) -> ConfigError:
    """Make the error for an application that is none."""
    return _of_file(source, targets.not_callable(target, application))


def _of_file(source: Source, fault: Fault) -> ConfigError:
    return ConfigError(config.read(source).arrange([fault]))
