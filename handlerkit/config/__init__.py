"""The configuration: read from TOML, validated, and given out as frozen values.

`read` gives a `Document`, `validate` a `Config` or every mistake in it, `settings`
what one plugin is given. Here alone are pydantic and tomli imported.
`config.showing` and `config.schema` are for commands, and imported by name: a process
that serves does without.
"""

from handlerkit.config.addresses import address
from handlerkit.config.changes import Written, restarts
from handlerkit.config.codes import CODES
from handlerkit.config.crosschecks import check_entry
from handlerkit.config.lints import lint
from handlerkit.config.model import AppSettings, Config, PluginEntry
from handlerkit.config.reading import model_of, settings, settings_model, validate
from handlerkit.config.sources import Document, read, safe_mode
from handlerkit.config.template import initial, template
from handlerkit.config.writing import to_toml
from handlerkit.settings import Record

__all__ = [
    "CODES",
    "AppSettings",
    "Config",
    "Document",
    "PluginEntry",
    "Record",
    "Written",
    "address",
    "check_entry",
    "initial",
    "lint",
    "model_of",
    "read",
    "restarts",
    "safe_mode",
    "settings",
    "settings_model",
    "template",
    "to_toml",
    "validate",
]
