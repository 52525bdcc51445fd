"""Explanations: the application, the handler class, and the way of running."""

from __future__ import annotations

from handlerkit.config.explanations.explanation import APP, Explanation

_LOADING = ("handlerkit check --load",)
_SERVING = ("handlerkit check --for serve",)

EXPLANATIONS = {
    "HK401": Explanation(
        cause="Something is to be served, and neither `[app] target` nor `app=` in "
        "Python says what.",
        example='[server]\nbind = "127.0.0.1:8000"\n',
        commands=_LOADING,
        mend='Set `target = "module:attribute"` in `[app]`.',
    ),
    "HK402": Explanation(
        cause="The module of `[app] target` does not import, lacks the attribute, or "
        "its factory raised. The traceback below the message is the application's.",
        example='[app]\ntarget = "shopp:application"\n',
        commands=_LOADING,
        mend="If the module itself is not found, look at `path` in `[app]`: its "
        "directories are relative to the file. Anything else is for the application "
        "to mend; `python -c 'import MODULE'` shows the same.",
    ),
    "HK403": Explanation(
        cause="`[app] target` names something that cannot be called.",
        example='[app]\ntarget = "math:pi"\n',
        commands=_LOADING,
        mend="Name the WSGI callable, or the factory that makes one, with `()`: "
        '`target = "shop:create_app()"`.',
    ),
    "HK404": Explanation(
        cause="There is no handler class of that name.",
        example='[handler]\nclass = "CGIHandlr"\n',
        mend='Best `class = "auto"`, or leave it out: each way of running takes the '
        "class that fits. One of your own has a colon: `package.module:Class`.",
    ),
    "HK406": Explanation(
        cause="A class of your own that `[handler]` names, as `class`, "
        "`headers_class` or `wsgi_file_wrapper`, does not import, or cannot do what "
        "is needed of it.",
        example=f'{APP}[handler]\nclass = "collections:OrderedDict"\n',
        commands=_LOADING,
        mend="A handler class is a subclass of `handlerkit.BaseHandler`; a class of "
        "headers has what `wsgiref.headers.Headers` has.",
    ),
    "HK407": Explanation(
        cause="The class is for another way of running: a CGI handler reads its one "
        "request from the process, and cannot listen, say.",
        example='[handler]\nclass = "CGIHandler"\n',
        commands=_SERVING,
        mend='Leave `class` out, or `"auto"`, so that one file serves every way of '
        "running; or run it by the call that the message names.",
    ),
    "HK408": Explanation(
        cause="The attribute is worked out from something else in this way of "
        "running, so a value in the file could only be wrong.",
        example='[handler]\nhttp_version = "1.0"\n',
        commands=_SERVING,
        mend="Take it out; the message says what it follows from.",
    ),
    "HK409": Explanation(
        cause="The value is right, and nobody heeds it in this way of running.",
        example='[handler]\nserver_software = "shop"\n',
        commands=("handlerkit check --for wsgi",),
        mend="Take it out, or set it in the configuration of the server that speaks "
        "to the client. It is a warning only: the file may serve other ways, too.",
    ),
    "HK410": Explanation(
        cause="The engine of `[server]` is not installed, or does not import.",
        example='[server]\nengine = "granian"\n',
        commands=_SERVING,
        without="granian",
        mend="Install it into the environment that handlerkit is in: "
        "`pip install 'handlerkit[granian]'`.",
    ),
    "HK411": Explanation(
        cause="The engine cannot listen at such an address: granian takes over no "
        "socket that somebody else opened.",
        example='[server]\nengine = "granian"\nbind = "systemd"\n',
        commands=_SERVING,
        mend='Take an address that it can open itself, or `engine = "gunicorn"`.',
    ),
    "HK412": Explanation(
        cause="The built-in server is one process.",
        example="[server]\nworkers = 4\n",
        commands=_SERVING,
        mend='Set `engine = "granian"` or `engine = "gunicorn"`; or more `threads`.',
    ),
    "HK413": Explanation(
        cause="A method of your handler class stands for a hook, and does not pass "
        "on to it, so the plugins on that hook are never called.",
        example='[handler]\nclass = "shop:Handler"\n\n'
        '[app]\ntarget = "shop:application"\n',
        beside={
            "shop.py": """
import handlerkit
from wsgiref.simple_server import demo_app as application


class Handler(handlerkit.SimpleHandler):
    def log_exception(self, exc_info):
        print(exc_info)
"""
        },
        commands=_LOADING,
        mend="Call `super()` in it; or make it a plugin, and leave the class alone. "
        "It is a warning only.",
    ),
    "HK414": Explanation(
        cause="A setting lets secrets out: with redaction off, reports and logs hold "
        "tokens, passwords and personal data as they are.",
        example="[redact]\nenabled = false\n",
        mend="Take it out, and excuse single names by `allow_keys` instead. It is a "
        "warning only.",
    ),
    "HK421": Explanation(
        cause="More than one process of FastCGI or SCGI is run by gunicorn's arbiter, "
        "and gunicorn is not installed.",
        example=f'{APP}[handler]\nclass = "SCGIHandler"\n\n[server]\nworkers = 2\n',
        commands=("handlerkit serve",),
        without="gunicorn",
        mend="Install it into the environment that handlerkit is in: "
        "`pip install 'handlerkit[gunicorn]'`.",
    ),
}
