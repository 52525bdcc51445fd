"""Explanations: hooks and plugins."""

from __future__ import annotations

from handlerkit.config.explanations.explanation import APP, Explanation

_LOADING = ("handlerkit check --load",)
_MAIL = f'{APP}[plugins.mail]\nuse = "./mail.py:Mail"\n'

EXPLANATIONS = {
    "HK301": Explanation(
        cause="There is no hook of that name, in `[hooks.…]` or marked in a plugin. "
        "pluggy would register the function, and never call it.",
        example='[hooks.setup_enviro]\nexclude = ["text-log"]\n',
        mend="Take the name that is suggested. A plugin that serves several versions "
        "of handlerkit marks a hook that older ones lack with "
        "`@hookimpl(optionalhook=True)`.",
    ),
    "HK302": Explanation(
        cause="`order` or `exclude` names a plugin that the file does not have. The "
        "names are those of the tables `[plugins.NAME]`, not of what they `use`.",
        example='[hooks.log_exception]\norder = ["sentry"]\n',
        mend="Add the table, if it is empty but for its header, or take the name out.",
    ),
    "HK303": Explanation(
        cause="A function cannot implement its hook in this form: it is async, it "
        "yields without `wrapper=True`, or it wraps a hook that observes, where each "
        "implementation is isolated.",
        example=_MAIL,
        beside={
            "mail.py": """
from handlerkit import hookimpl


class Mail:
    @hookimpl
    async def log_exception(self, report): ...
"""
        },
        commands=_LOADING,
        mend="Write a plain function; start a thread or a queue in `start()` for what "
        "takes long. The kinds of hooks are in the reference of hooks.",
    ),
    "HK304": Explanation(
        cause="What the plugin gives as `Settings` cannot be imported, is no model of "
        "pydantic, or raises something that is no ValueError. This is a "
        "mistake of the plugin, not of the file.",
        example=_MAIL,
        beside={
            "mail.py": """
from handlerkit import hookimpl


class Mail:
    Settings = "mail_settings:Settings"

    @hookimpl
    def log_exception(self, report): ...
"""
        },
        commands=_LOADING,
        mend='Make it a subclass of `pydantic.BaseModel`, or `"package.module:Class"` '
        "of one that can be imported. In a plugin of somebody else's: look whether "
        "its version fits, and tell its author.",
    ),
    "HK305": Explanation(
        cause="An implementation asks for an argument that its hook does not have, or "
        "takes one by keyword only.",
        example=_MAIL,
        beside={
            "mail.py": """
from handlerkit import hookimpl


class Mail:
    @hookimpl
    def log_exception(self, reprot): ...
"""
        },
        commands=_LOADING,
        mend="Take any of the arguments in the reference of hooks, by their names, "
        "or none.",
    ),
    "HK308": Explanation(
        cause="The plugin has no `Settings`, so it takes no keys beside `use`, "
        "`enabled`, `required` and `on_error`.",
        example=f'{_MAIL}level = "debug"\n',
        beside={
            "mail.py": """
from handlerkit import hookimpl


class Mail:
    @hookimpl
    def log_exception(self, report): ...
"""
        },
        commands=_LOADING,
        mend="Take the key out. In a plugin of your own, declare it in a class "
        "`Settings`.",
    ),
    "HK309": Explanation(
        cause="There is no plugin of that name, its module does not import, it "
        "refuses its settings, or it implements no hook. Nothing starts without a "
        "plugin that the file names, lest reports go nowhere in silence.",
        example=f"{APP}[plugins.jsonlog]\n",
        commands=_LOADING,
        mend="Install or mend what the message names; a plugin of your own needs "
        '`use = "./file.py:Class"` or `use = "package.module:Class"`. With '
        "`required = false` the server starts without it, with a warning; "
        "`HANDLERKIT_SAFE=1` starts without any plugin.",
    ),
    "HK310": Explanation(
        cause="A plugin is named twice in the `order` and `exclude` of one hook, or "
        "for a hook that it does not implement.",
        example='[hooks.log_exception]\norder = ["text-log"]\nexclude = ["text-log"]\n',
        mend="Leave the name in one place, or in none: plugins that `order` does not "
        "name follow in the order of the file.",
    ),
}
