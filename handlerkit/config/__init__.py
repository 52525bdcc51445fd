"""The configuration: read from TOML, validated, and given out as frozen values.

`read` gives a `Document`, `validate` a `Config` or every mistake in it, `settings`
what one plugin is given. Here alone are pydantic and tomli imported.
"""

from handlerkit.config.codes import CODES
from handlerkit.config.crosschecks import check_entry
from handlerkit.config.model import AppSettings, Config, PluginEntry
from handlerkit.config.reading import settings, validate
from handlerkit.config.record import Record
from handlerkit.config.sources import Document, read, safe_mode

__all__ = [
    "CODES",
    "AppSettings",
    "Config",
    "Document",
    "PluginEntry",
    "Record",
    "check_entry",
    "read",
    "safe_mode",
    "settings",
    "validate",
]
