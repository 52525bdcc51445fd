"""Explanations: keys and values."""

from __future__ import annotations

from handlerkit.config.explanations.explanation import APP, Explanation

_MAIL = """
from handlerkit import hookimpl
from pydantic import BaseModel


class Mail:
    class Settings(BaseModel):
        recipient: str

    def __init__(self, settings):
        self.recipient = settings.recipient

    @hookimpl
    def log_exception(self, report):
        print(f"to {self.recipient}: {report.id}")
"""

EXPLANATIONS = {
    "HK201": Explanation(
        cause="The table has no such key. A key that is not known is never passed "
        "over: a setting that does nothing is found here, not in production.",
        example='[handler]\neror_status = "503 Service Unavailable"\n',
        mend="Take the key that is suggested. The keys of every table are in the "
        "reference of the configuration; those of a plugin in its own documentation.",
    ),
    "HK202": Explanation(
        cause="A key without a default is not in its table. Of handlerkit's own keys "
        "none is required; plugins may require some of theirs.",
        example=f'{APP}[plugins.mail]\nuse = "./mail.py:Mail"\n',
        beside={"mail.py": _MAIL},
        commands=("handlerkit check --load",),
        mend="Add the key to the table that the caret is under.",
    ),
    "HK203": Explanation(
        cause="The value has another type than the key. Types are exact: no text is "
        'taken for a number, and no `1` for `true`; `"yes"` is a string.',
        example='[handler]\ntraceback_limit = "ten"\n',
        mend="Write the value as the message says: without quotes for numbers, "
        "`true` and `false`; in brackets for arrays.",
    ),
    "HK204": Explanation(
        cause="The value has the right type, and is not one that can work: out of "
        "range, not one of the choices, or not of the form that is needed.",
        example='[server]\nengine = "uvicorn"\n',
        mend="The message says what is allowed.",
    ),
    "HK205": Explanation(
        cause="The key is known, and belongs in another table; or it is an option of "
        "an engine that handlerkit itself sets from a key of its own.",
        example="[server]\ntraceback_limit = 10\n",
        mend="Move it to the table that is named. In TOML a key belongs to the last "
        "header above it, so a key at the end of a file is often in the wrong table.",
    ),
    "HK206": Explanation(
        cause="There is no table of that name. The settings of plugins are in "
        "`[plugins.NAME]`, those of hooks in `[hooks.HOOK]`.",
        example='[hander]\nerror_status = "503 Service Unavailable"\n',
        mend="Take the name that is suggested; take out tables for other programs.",
    ),
    "HK207": Explanation(
        cause="A value is to come from outside, by `{ env = … }` or `{ file = … }`, "
        "and the variable is not set, or the file cannot be read. There is no "
        "silent default.",
        example='[server]\nbind = { env = "SHOP_ADDRESS" }\n',
        mend="Set the variable where the server runs, for CGI in the front's "
        "configuration; let its user read the file. If it may be missing, say what "
        'then: `{ env = "SHOP_ADDRESS", default = "127.0.0.1:8000" }`. Relative '
        "names of files start at the directory of the configuration.",
    ),
    "HK208": Explanation(
        cause="A table stands where a single value belongs, and is no reference in "
        "one of the three forms.",
        example='[server]\nbind = { env = "ADDRESS", defualt = "127.0.0.1:8000" }\n',
        mend='Write `{ env = "NAME" }`, `{ env = "NAME", default = "…" }` or '
        '`{ file = "path" }`, and nothing else in the braces.',
    ),
}
