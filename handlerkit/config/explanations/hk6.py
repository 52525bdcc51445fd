"""Explanations: freezing."""

from __future__ import annotations

from handlerkit.config.explanations.explanation import Explanation

_APP = '[app]\ntarget = "shop:application"\n'

EXPLANATIONS = {
    "HK601": Explanation(
        cause="A frozen file lies beside the code, is copied and compared with it: it "
        "holds no secret. This value is one by its type (`SecretStr`), by the name of "
        "its key, or by its form, a password in a URL, say.",
        example=f'{_APP}\n[plugins.mail]\nuse = "./mail.py:Mail"\n'
        'password = "opensesame"\n',
        beside={
            "mail.py": """
from handlerkit import hookimpl
from pydantic import BaseModel, SecretStr


class Mail:
    class Settings(BaseModel):
        password: SecretStr

    def __init__(self, settings):
        self.settings = settings

    @hookimpl
    def log_exception(self, report): ...
""".lstrip()
        },
        commands=("handlerkit freeze",),
        mend='Refer to it: `{ env = "MAIL_PASSWORD" }`, or `{ file = "password" }`. '
        "A name that only sounds secret is excused by `allow_keys` in `[redact]`.",
    ),
    "HK602": Explanation(
        cause="A frozen kit is made without pydantic. So it cannot hold a value from "
        "outside to the rules that a table or a plugin has for it, a value that is no "
        "constant, or a plugin that could not be loaded.",
        example='[app]\ntarget = { env = "TARGET", default = "shop:application" }\n',
        commands=("handlerkit freeze",),
        mend="Write the value itself into the file, if it is no secret. In settings of "
        "plugins, references may stand where a plain text or number does. Or do not "
        "freeze: everything works as it does, and costs what it costs.",
    ),
    "HK603": Explanation(
        cause="What `handlerkit freeze` wrote was made from another content of the "
        "file, another version of Python, of handlerkit or of a plugin. The message "
        "says which.",
        example=_APP,
        commands=(
            "handlerkit freeze",
            "echo '[plugins.request-id]' >> handlerkit.toml",
            "handlerkit freeze --check",
        ),
        mend='Run `handlerkit freeze` again. With `on_drift = "rebuild"` in '
        "`[freeze]`, a CGI process does so itself, where it may write beside the file. "
        "Or remove the frozen file.",
    ),
}
