"""Explanations: the file."""

from __future__ import annotations

from handlerkit.config.explanations.explanation import Explanation

EXPLANATIONS = {
    "HK101": Explanation(
        cause="There is no file of the name given by `--config`, by "
        "`HANDLERKIT_CONFIG` or to a function; without a name, no `handlerkit.toml` "
        "in the working directory, and no `pyproject.toml` with `[tool.handlerkit]`.",
        commands=("handlerkit check --config shop.toml",),
        mend="Name a file that is there: relative names start at the working "
        "directory, which for a server or a CGI process is often not the project's. "
        "`handlerkit init > handlerkit.toml` writes a first one.",
    ),
    "HK102": Explanation(
        cause="The file is there, and the system does not let this process read it, "
        "or it is a directory.",
        commands=("handlerkit check --config .",),
        mend="Let the user that the server runs as read the file, and enter its "
        "directories: `namei -l FILE` shows each with its owner and permissions.",
    ),
    "HK103": Explanation(
        cause="TOML files are UTF-8. This one has bytes that are not, as editors "
        "write that are set to latin-1, Windows-1252 or UTF-16.",
        commands=(
            r"""printf '[app]\ntarget = "caf\351:application"\n' > handlerkit.toml""",
            "handlerkit check",
        ),
        mend="Save the file as UTF-8, or convert it: "
        "`iconv -f WINDOWS-1252 -t UTF-8 old.toml > handlerkit.toml`.",
    ),
    "HK104": Explanation(
        cause="The text breaks the grammar of TOML 1.1, so nothing in it can be "
        "read. Often a quote or bracket is missing, a string has a bare backslash, "
        "or a key or table is there twice.",
        example="[server]\nbind = 127.0.0.1:8000\n",
        mend="Look at the caret, and at the line above it. Strings are quoted, paths "
        "of Windows best in single quotes: `'C:\\shop'`.",
    ),
    "HK105": Explanation(
        cause="In `pyproject.toml` the configuration is the table "
        "`[tool.handlerkit]`, and this one has none.",
        commands=("handlerkit check --config pyproject.toml",),
        beside={"pyproject.toml": '[project]\nname = "shop"\nversion = "1.0"\n'},
        mend="Put every table under it: `[tool.handlerkit.app]`, "
        "`[tool.handlerkit.server]`; or use a `handlerkit.toml`.",
    ),
}
