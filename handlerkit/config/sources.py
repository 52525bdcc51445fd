"""Where a configuration comes from: a file, the process environment, a mapping.

The one module of config that reads the process.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import tomli

from handlerkit.config.masking import mask, masker
from handlerkit.config.model import TABLES, Config
from handlerkit.config.source_text import Source
from handlerkit.errors import ConfigError, Fault

if TYPE_CHECKING:
    from handlerkit.carets import TomlPath

_EMBEDDED = "pyproject.toml"
_PREFIX = ("tool", "handlerkit")
_DEEPEST = 64  # levels of tables and arrays
_INTEGERS = range(-(1 << 63), 1 << 63)  # what TOML promises to hold
_TOO_DEEP = f"tables and arrays nest deeper than {_DEEPEST}"
_TOO_LARGE = "an integer has more than 64 bits"


class Document:
    """A configuration as it was written, not yet validated.

    ``file`` is its name as the user gave it ("" for a mapping), ``base`` the
    directory that its relative paths start from, ``text`` what the file holds.
    ``raw`` is the table of handlerkit, ``prefix`` where it is in the file.
    ``references`` grows with validation: which paths (from ``raw``) were taken from
    outside, and from where (``"env SENTRY_DSN"``); ``secrets`` are the values that
    were found there, ``concealed`` the paths of those that a model types as secret.
    """

    __slots__ = (
        "base",
        "concealed",
        "config",
        "environ",
        "file",
        "prefix",
        "raw",
        "references",
        "secrets",
        "source",
        "text",
    )

    def __init__(  # noqa: PLR0913 - a record, every caller names its fields
        self,
        raw: Mapping[str, Any],
        *,
        base: Path,
        environ: Mapping[str, str],
        file: str = "",
        prefix: tuple[str, ...] = (),
        text: str = "",
        config: Config | None = None,
    ) -> None:
        self.raw = raw
        self.base = base
        self.environ = environ
        self.file = file
        self.prefix = prefix
        self.text = text
        self.config = config
        self.references: dict[TomlPath, str] = {}
        self.secrets: set[str] = set()
        self.concealed: set[TomlPath] = set()
        self.source = Source(text, self.secrets) if file else None

    def __repr__(self) -> str:
        return f"Document({self.file!r})"

    def arrange(self, faults: list[Fault], severity: str = "error") -> list[Fault]:
        """Sort faults by their place in this file; name the file where one lacks it.

        ``path`` of a fault without a file starts at handlerkit's own table. Secrets
        are masked: the texts of exceptions are in there.
        ``severity`` is ``error`` or ``warning``.
        """
        hide = masker(self._secrets() if faults else ())
        for fault in faults:
            fault.message = hide(fault.message)
            fault.hint = hide(fault.hint)
            fault.severity = severity
            if not fault.file:
                fault.file = self.file or "configuration"
                fault.source = self.source
                fault.path = (*self.prefix, *fault.path)
                fault.also = tuple(
                    ((*self.prefix, *path), on, label) for path, on, label in fault.also
                )
        return sorted(faults, key=lambda fault: self._place(fault.path))

    def conceal(self, path: TomlPath) -> None:
        """Keep the value at a path out of what faults show and say."""
        self.concealed.add(path)
        if self.source is not None:
            self.source.concealed.add((*self.prefix, *path))

    def _secrets(self) -> set[str]:
        """Give the secrets that came from outside, and those in the file itself."""
        # Only what has an error pays for it.
        from handlerkit.config.hiding import values_in

        return self.secrets | values_in(self.raw, self.concealed)

    def mask(self, text: str) -> str:
        """Give a text of others with ``***`` for secrets."""
        return mask(text, self._secrets())

    def without(self, faults: Iterable[Fault]) -> Document:
        """Give this document less the keys that have these faults.

        To go on looking for mistakes in the rest.
        """
        paths = [fault.path[len(self.prefix) :] for fault in faults]
        # Without its use, a plugin would be looked for under its name.
        raw = _less(
            self.raw, [path[:2] if path[2:] == ("use",) else path for path in paths]
        )
        if _names(raw, "plugins") != _names(self.raw, "plugins"):
            raw = _less(raw, [("hooks",)])  # it may speak of the plugin
        return Document(
            raw,
            base=self.base,
            environ=self.environ,
            file=self.file,
            prefix=self.prefix,
            text=self.text,
        )

    def _place(self, path: TomlPath) -> list[int]:
        """Give the position of each part of a path among its siblings."""
        place: list[int] = []
        node: object = self.raw
        for part in path[len(self.prefix) :]:
            if isinstance(node, Mapping):
                names = list(node)
                place.append(names.index(part) if part in node else len(names))
                node = node.get(part)
            elif isinstance(node, list) and isinstance(part, int):
                place.append(part)
                node = node[part] if part < len(node) else None
            else:
                place.append(0)
                node = None
        return place


def read(
    source: str | PurePath | Mapping[str, Any] | Config,
    *,
    base: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Document:
    """Read a configuration: a TOML file, a mapping of the same shape, or a `Config`.

    Of a file named ``pyproject.toml``, the table ``[tool.handlerkit]``. ``base`` is
    where the relative paths of a mapping start, by default the working directory;
    ``environ`` is what ``{ env = … }`` asks, by default the process environment.

    Raises:
        ConfigError: there is no such file, or it is not readable, UTF-8 and TOML.
    """
    environ = os.environ if environ is None else environ
    if isinstance(source, Config | Mapping):
        config = source if isinstance(source, Config) else None
        raw = _given(source) if isinstance(source, Config) else _plain(source)
        return Document(raw, base=base or Path.cwd(), environ=environ, config=config)
    path = Path(source)
    file = str(source) or '""'
    text = _read_text(path, file)
    raw = parse(text, file)
    prefix = _PREFIX if path.name == _EMBEDDED else ()
    return Document(
        _embedded(raw, text, file) if prefix else raw,
        base=path.absolute().parent,
        environ=environ,
        file=file,
        prefix=prefix,
        text=text,
    )


def read_value(path: Path) -> str:
    """Read the value that ``{ file = … }`` names, without its last newline.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is not UTF-8.
    """
    text = path.read_bytes().decode()
    return text.removesuffix("\n").removesuffix("\r")


def _read_text(path: Path, file: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        fault = Fault("HK101", "there is no such file", file=file)
    except OSError as exc:
        text = f"cannot be read: {exc.strerror or exc}"
        fault = Fault("HK102", text, file=file)
    except UnicodeDecodeError as exc:
        # Only a file with a mistake pays for it.
        from handlerkit.config.syntax import not_utf8

        fault = not_utf8(exc.object, file)
    raise ConfigError([fault])


def parse(text: str, file: str = "") -> dict[str, Any]:
    """Parse TOML (1.1); ``file`` is its name in what is said of a mistake.

    Raises:
        ConfigError: it is not TOML.
    """
    try:
        raw = tomli.loads(text)
        fault = _unfit(raw, text, file)
        if fault is None:
            return raw
    except tomli.TOMLDecodeError as exc:
        from handlerkit.config.syntax import not_toml  # likewise

        fault = not_toml(exc, text, file)
    except RecursionError:
        fault = Fault("HK104", _TOO_DEEP, file=file)
    except ValueError:  # Python makes no integer of so many digits
        fault = Fault("HK104", _TOO_LARGE, file=file)
    raise ConfigError([fault])


def _unfit(raw: dict[str, Any], text: str, file: str) -> Fault | None:
    """Make the fault of TOML that is more than anybody writes, or TOML promises."""
    if _is_deep(raw):
        return Fault("HK104", _TOO_DEEP, file=file)
    for path, value in _integers(raw, ()):
        if value not in _INTEGERS:
            source = Source(text, set())
            return Fault("HK104", _TOO_LARGE, file=file, path=path, source=source)
    return None


def _integers(node: object, path: TomlPath) -> Iterator[tuple[TomlPath, int]]:
    if isinstance(node, int):
        yield path, node
    elif isinstance(node, dict):
        for key, item in node.items():
            yield from _integers(item, (*path, key))
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _integers(item, (*path, index))


def _is_deep(node: object) -> bool:
    """Say whether values nest deeper than anybody writes, and than we would walk."""
    level = [node]
    for _ in range(_DEEPEST):
        inner = [each for each in level if isinstance(each, dict | list)]
        if not inner:
            return False
        level = [
            item
            for each in inner
            for item in (each.values() if isinstance(each, dict) else each)
        ]
    return True


def _embedded(raw: Mapping[str, Any], text: str, file: str) -> Mapping[str, Any]:
    node: object = raw
    for name in _PREFIX:
        node = node.get(name) if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping):
        raise ConfigError([_not_embedded(raw, text, file)])
    return node


def _not_embedded(raw: Mapping[str, Any], text: str, file: str) -> Fault:
    tables = raw.get(_PREFIX[0])
    names = [*tables] if isinstance(tables, Mapping) else []
    near = difflib.get_close_matches(_PREFIX[1], names, n=1)
    fault = Fault("HK105", "there is no table [tool.handlerkit]", file=file)
    if near:
        fault.source = Source(text, set())
        fault.path = (_PREFIX[0], *near)
        spelled = near[0] == _PREFIX[1]
        fault.hint = "this must be a table" if spelled else "did you mean it here?"
        fault.on = "key"
    return fault


def _less(node: Mapping[str, Any], paths: Iterable[TomlPath]) -> dict[str, Any]:
    """Copy a table without the keys at ``paths``, or without what holds those places.

    What is left stays in its place: the order of plugins is the order of the file.
    """
    within: dict[str | int, list[TomlPath]] = {}
    for path in paths:
        if path:
            within.setdefault(path[0], []).append(path[1:])
    kept = {}
    for key, value in node.items():
        rests = within.get(key)
        if rests is None:
            kept[key] = value
        elif isinstance(value, Mapping) and all(r and r[0] in value for r in rests):
            kept[key] = _less(value, rests)
    return kept


def _names(node: Any, key: str) -> list[str]:
    table = node.get(key)
    return list(table) if isinstance(table, Mapping) else []


def _plain(value: Any) -> Any:
    """Copy a mapping as TOML would have it: dicts, lists, and paths as strings."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, PurePath) else value


def _given(config: Config) -> dict[str, Any]:
    """Give what was set in a `Config`, in the shape of the file."""
    tables = {
        name: table.model_dump(by_alias=True, exclude_unset=True)
        for name, table in config
        if name in TABLES
    }
    tables["hooks"] = {
        name: hook.model_dump(exclude_unset=True) for name, hook in config.hooks.items()
    }
    tables["plugins"] = {
        name: entry.model_dump(exclude_unset=True)
        for name, entry in config.plugins.items()
    }
    return {name: _plain(table) for name, table in tables.items() if table}


def safe_mode() -> bool:
    """Say whether HANDLERKIT_SAFE asks for a start without plugins."""
    return os.environ.get("HANDLERKIT_SAFE", "0") not in ("", "0")
