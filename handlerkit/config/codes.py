"""Every error code of a configuration, with its meaning in one line.

A code, once given, keeps its meaning: people search for it.
"""

from __future__ import annotations

CODES = {
    # The file.
    "HK101": "the file does not exist",
    "HK102": "the file cannot be read",
    "HK103": "the file is not UTF-8",
    "HK104": "the file is not TOML",
    "HK105": "pyproject.toml has no [tool.handlerkit]",
    # Keys and values.
    "HK201": "a key that its table does not have",
    "HK202": "a key that must be there is not",
    "HK203": "a value of the wrong type",
    "HK204": "a value that is not allowed",
    "HK205": "a key that belongs in another table",
    "HK206": "a table that does not exist",
    "HK207": "an environment variable or file that a value refers to is missing",
    "HK208": "a table that is not a proper reference to a variable or file",
    # Hooks and plugins.
    "HK301": "a hook that does not exist",
    "HK302": "a plugin that this file does not name",
    "HK303": "an implementation in a form that its hook does not allow",
    "HK304": "a plugin whose Settings cannot be used",
    "HK305": "an implementation with arguments that its hook does not have",
    "HK308": "settings for a plugin that takes none",
    "HK309": "a plugin that cannot be loaded, or is not a valid one",
    "HK310": "a plugin in an order or exclude where it makes no sense",
    # The application, the handler class, and the way of running.
    "HK401": "an application that is not given",
    "HK402": "an application that cannot be loaded",
    "HK403": "an application that cannot be called",
    "HK404": "a handler class that does not exist",
    "HK406": "a class named in [handler] that cannot be loaded or used",
    "HK407": "a handler class that does not fit the way of running",
    "HK408": "a setting that this way of running decides by itself",
    "HK409": "a setting that has no effect in this way of running",
    "HK410": "an engine that cannot be used",
    "HK411": "an address that the engine cannot listen at",
    "HK412": "more workers than the engine has",
    "HK413": "a handler class that overrides a hook without calling it",
    "HK414": "a setting that lets secrets out",
    # FastCGI and SCGI.
    "HK421": "more workers of FastCGI or SCGI than one, without gunicorn",
    # What a valid file may still get wrong.
    "HK501": "a plugin whose own means are not in order",
    "HK502": "proxies to trust that are everybody",
    "HK503": "a limit of requests that is switched off, at a public address",
    "HK504": "headers of a proxy that a client can replace, on this engine",
    "HK505": "a secret in a file that everybody may read",
    "HK506": "local variables that are shown without redaction",
    "HK507": "a server whose every environ has the whole process environment",
    "HK508": "diagnostics at a public address",
    "HK509": "trusted peers on a unix socket that everybody may connect to",
    "HK510": "a file or directory of code that everybody may write to",
    "HK511": "FastCGI or SCGI at a public address",
    "HK512": "an error page with a status that is none of an error",
    # What a reload cannot change.
    "HK521": "code that has changed since it was imported",
    "HK522": "a key of [app] that has changed since the start",
    "HK523": "a setting of the server that has changed since the start",
    # Freezing.
    "HK601": "a secret in the file, that a frozen kit would hold, too",
    "HK602": "something that cannot be frozen",
    "HK603": "a frozen kit that is not as it was frozen any more",
    # What is made of a configuration.
    "HK701": "a schema, named for editors, that is not of this environment",
}
