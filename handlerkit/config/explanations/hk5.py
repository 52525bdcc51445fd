"""Explanations: what a valid file may still get wrong."""

from __future__ import annotations

from handlerkit.config.explanations.explanation import APP, Explanation

_JUDGED = "Where you know better, `handlerkit check --allow {}` passes over it."

_SERVE = ("handlerkit serve",)
_SERVED = '[app]\ntarget = "shop:application"\n'
_SHOP = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"old"]
"""

EXPLANATIONS = {
    "HK501": Explanation(
        cause="A plugin was asked to check its own means, a server that it sends to or "
        "a directory that it writes to, say, and found them wanting. The file is "
        "valid; `check` ends with 1.",
        example=f'{APP}[plugins.access-log]\npath = "/no/such/place/access.log"\n',
        commands=("handlerkit check --probe",),
        mend="The message is the plugin's. Check as the user, and on the machine, that "
        "will serve: another one may be let in where that one is not.",
    ),
    "HK502": Explanation(
        cause="Whoever is trusted as a proxy is believed what address, scheme and host "
        "a request has. With every address trusted, any client makes that up: it "
        "passes for an internal address, and evades limits by address.",
        example='[proxies]\ntrusted = ["0.0.0.0/0"]\n',
        mend="Name the addresses that your proxies connect from; `unix` where they do "
        "so by a unix socket. " + _JUDGED.format("HK502"),
    ),
    "HK503": Explanation(
        cause="Other machines can connect, and a limit on what one request may hold is "
        "switched off. One client can fill memory or disk.",
        example='[server]\nbind = "0.0.0.0:8000"\nmax_body = 0\n',
        mend="Set the limit above what the application really needs; or bind to this "
        "machine, where a proxy with limits of its own is in front.",
    ),
    "HK504": Explanation(
        cause="To granian, `X_Forwarded_For` and `X-Forwarded-For` are one key of "
        "environ, and what a client sends under the first replaces what the proxy "
        "says under the second. The plugin cannot tell them apart.",
        example='[server]\nengine = "granian"\n\n'
        '[proxies]\ntrusted = ["10.0.0.0/8"]\n\n[plugins.proxy-headers]\n',
        mend="Have the proxy drop names with an underscore: nginx does, unless "
        "`underscores_in_headers` is on. Once you have seen to it, "
        "`handlerkit check --allow HK504`; or take another engine: the built-in server "
        "and gunicorn drop them.",
    ),
    "HK505": Explanation(
        cause="A key of a plugin or an engine is named like a secret, or a variable "
        "in its array is, or its model says that it is one, or a URL has a password; "
        "and every user of this machine may read the file that has the value.",
        example='[plugins.shop]\nuse = "shop:Plugin"\napi_key = "4711-0815"\n',
        commands=("chmod o+r handlerkit.toml", "handlerkit check"),
        mend='Take the value from outside: `{ env = "NAME" }`, or '
        '`{ file = "path" }` with a file that only the server may read. Or take the '
        "right to read from others: `chmod o-r handlerkit.toml`. A name that only "
        "sounds like a secret's belongs in `allow_keys` of `[redact]`.",
    ),
    "HK506": Explanation(
        cause="`locals` has each report show local variables: requests, passwords, "
        "whatever a function holds. Nothing takes secrets out of them where `enabled` "
        "is false.",
        example="[redact]\nenabled = false\nlocals = true\n",
        commands=("handlerkit check --allow HK414",),
        mend="Leave one of the two out.",
    ),
    "HK507": Explanation(
        cause="Each exchange has the whole process environment in its environ, and "
        "debug pages, logs and error reporters of applications show environ: secrets "
        "of the process get to where nobody looks for them.",
        example='[handler]\nos_environ = "inherit"\n',
        mend="Name the variables that the application reads from environ: "
        '`os_environ = ["LANG"]`. What it reads from `os.environ` is there anyway.',
    ),
    "HK508": Explanation(
        cause="A plugin is told to show what is for developers, and other machines can "
        "connect.",
        example='[server]\nbind = "0.0.0.0:8000"\n\n'
        '[plugins.page]\nuse = "shop:Page"\ndebug = true\n',
        mend="Switch it off, or bind to this machine. " + _JUDGED.format("HK508"),
    ),
    "HK509": Explanation(
        cause="Every user of this machine may connect to the socket, and whoever does "
        "is believed: `trusted` has `unix`, or the socket is one of FastCGI or SCGI. "
        "Each of them can pose as any client.",
        example='[server]\nbind = "unix:/run/shop/socket"\nunix_mode = "666"\n\n'
        '[proxies]\ntrusted = ["unix"]\n',
        mend='Leave `unix_mode` at "660", and put the proxy into the group of the '
        "socket.",
    ),
    "HK510": Explanation(
        cause="Every user of this machine may change what is run: the configuration, "
        "which names code, a plugin in a file of its own, or a directory that modules "
        "are imported from.",
        example="[server]\n",
        commands=("chmod o+w handlerkit.toml", "handlerkit check"),
        mend="`chmod o-w` what the message names.",
    ),
    "HK511": Explanation(
        cause="In FastCGI and SCGI, whoever connects is taken for the front server, "
        "and says everything of a request: the client's address, REMOTE_USER, HTTPS. "
        "Neither has a way to tell the front from anybody else.",
        example='[handler]\nclass = "FastCGIHandler"\n\n'
        '[server]\nbind = "0.0.0.0:9000"\n',
        mend="Bind to a unix socket, or to this machine. Where the front is another "
        "machine, let a firewall see to it that only it connects; then `handlerkit "
        "check --allow HK511`.",
    ),
    "HK512": Explanation(
        cause="What fails is answered with this status. One that is none of an error "
        "is kept by caches, taken for the page by crawlers and clients of an API, and "
        "counted as fine by load balancers and monitors (RFC 9110, 15).",
        example='[handler]\nerror_status = "200 OK"\n',
        mend='Take a status from 500 on, `"500 Internal Server Error"` or `"503 '
        'Service Unavailable"`. ' + _JUDGED.format("HK512"),
    ),
    "HK521": Explanation(
        cause="On SIGHUP a server reads its configuration anew and makes plugins anew, "
        "from the code that it has imported. Files of that code, of the application, "
        "a plugin or a class, are not as they were: what runs is the old code.",
        example=_SERVED,
        beside={"shop.py": _SHOP},
        commands=_SERVE,
        then={"shop.py": _SHOP.replace("old", "new")},
        mend="Restart the server when the new code is to run: `systemctl restart`. It "
        "is a warning only: everything else of the reload is in force.",
    ),
    "HK522": Explanation(
        cause="The application is imported once, when the server starts, and so is its "
        "path. The file names another now.",
        example=_SERVED,
        beside={"shop.py": _SHOP},
        commands=_SERVE,
        then={"handlerkit.toml": _SERVED.replace("application", "other")},
        mend="Restart the server. It is a warning only: the application goes on, with "
        "everything else of the reload.",
    ),
    "HK523": Explanation(
        cause="Sockets, threads, limits and engine are set up once, when the server "
        "starts. The file has another value now.",
        example=_SERVED,
        beside={"shop.py": _SHOP},
        commands=_SERVE,
        then={"handlerkit.toml": f"{_SERVED}\n[server]\nthreads = 16\n"},
        mend="Restart the server. It is a warning only: the server goes on as it is, "
        "with everything else of the reload.",
    ),
}
