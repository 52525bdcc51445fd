"""What a way of running makes of the settings: the class, and what is derived.

``entry`` is how the kit is run: ``"cgi"`` (`run_cgi`), ``"wsgi"`` (`wsgi`),
``"serve"`` (`serve`), ``"handler"`` (by the user, through ``kit.handler``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from handlerkit.errors import Fault

if TYPE_CHECKING:
    from handlerkit.carets import TomlPath
    from handlerkit.config.model import Config

Entry = Literal["cgi", "wsgi", "serve", "handler"]

_FITTING = {
    "cgi": ("CGIHandler", "IISCGIHandler"),
    "hosted": ("HostedHandler",),
    "builtin": ("SimpleHandler",),
    "fastcgi": ("FastCGIHandler",),
    "scgi": ("SCGIHandler",),
    "handler": (
        *("BaseHandler", "SimpleHandler", "BaseCGIHandler"),
        *("CGIHandler", "IISCGIHandler", "HostedHandler"),
        *("FastCGIHandler", "SCGIHandler"),
    ),
}
_CALLS = {
    "SimpleHandler": 'handlerkit.serve() runs it, with engine = "builtin"',
    "HostedHandler": "handlerkit.wsgi() runs it, and handlerkit.serve() with an engine",
    "CGIHandler": "handlerkit.run_cgi() runs it",
    "FastCGIHandler": "handlerkit.serve() runs it, which speaks FastCGI then",
    "SCGIHandler": "handlerkit.serve() runs it, which speaks SCGI then",
    "IISCGIHandler": "handlerkit.run_cgi() runs it",
    "BaseCGIHandler": "kit.handler() runs it, with streams of your own",
    "BaseHandler": "kit.handler() runs it, for a subclass of your own",
}
_RUNS = {
    "cgi": "a CGI process",
    "hosted": "a hosting server",
    "builtin": "the built-in server",
    "fastcgi": "the FastCGI server",
    "scgi": "the SCGI server",
}
_DERIVED = {
    "builtin": {
        "origin_server": "the built-in server is one",
        "http_version": "the built-in server speaks 1.1",
        "wsgi_multithread": "it follows from threads in [server]",
        "wsgi_multiprocess": "it follows from workers in [server]",
    },
    "hosted": {
        "origin_server": "the hosting server is the origin server",
        "http_version": "the hosting server writes the status line",
    },
}
_PROTOCOLS = {"FastCGIHandler": "fastcgi", "SCGIHandler": "scgi"}
_DERIVED["fastcgi"] = _DERIVED["scgi"] = {
    **_DERIVED["builtin"],
    "origin_server": "the web server in front is one",
    "http_version": "the web server in front writes the status line",
}
_HTTP_LIMITS = ("max_request_line", "max_headers")
_FASTCGI_LIMITS = (
    *("max_param_name", "max_param_value", "max_requests", "max_unread"),
    "max_idle_records",
)
_FRONT_LIMITS = ("max_params", *_FASTCGI_LIMITS)
# Of gunicorn, what its own workers heed, which speak HTTP.
_OF_HTTP = frozenset(
    (
        *("limit_request_line", "limit_request_fields", "limit_request_field_size"),
        *("keepalive", "worker_class", "worker_connections", "sendfile", "http_parser"),
        *("forwarded_allow_ips", "secure_scheme_headers", "forwarder_headers"),
        *("header_map", "strip_header_spaces", "permit_obsolete_folding"),
        *("permit_unconventional_http_method", "permit_unconventional_http_version"),
        *("casefold_http_method", "root_path", "tmp_upload_dir"),
        *("proxy_protocol", "proxy_allow_ips", "protocol", "uwsgi_allow_ips"),
        *("accesslog", "access_log_format", "disable_redirect_access_to_syslog"),
        *("pre_request", "post_request", "ssl_context", "keyfile", "certfile"),
        *("ssl_version", "cert_reqs", "ca_certs", "suppress_ragged_eofs"),
        *("do_handshake_on_connect", "ciphers", "asgi_loop", "asgi_lifespan"),
        *("asgi_disconnect_grace_period", "websocket_max_message_size"),
        *("http_protocols", "http2_cleartext", "http2_max_concurrent_streams"),
        *("http2_initial_window_size", "http2_max_frame_size"),
        "http2_max_header_list_size",
    )
)
# What an attribute follows from, where it is no setting.
_FOLLOWS = {
    "wsgi_multithread": ("server", "threads"),
    "wsgi_multiprocess": ("server", "workers"),
}
# Of [server], what has no effect.
_UNHEEDED = {
    "hosted": (
        *("max_connections", "max_header_size", "max_body", "header_timeout"),
        *(
            "keep_alive_timeout",
            "read_timeout",
            "write_timeout",
            *_HTTP_LIMITS,
            *_FRONT_LIMITS,
        ),
        "unix_owner",
    ),
    "builtin": _FRONT_LIMITS,
    "fastcgi": _HTTP_LIMITS,
    "scgi": (*_HTTP_LIMITS, *_FASTCGI_LIMITS, "keep_alive_timeout"),
}


def check_entry(
    config: Config, entry: Entry, nearest: str | None = None
) -> tuple[list[Fault], list[Fault]]:
    """Check a configuration against the way of running; give faults and warnings.

    ``nearest`` is, for a class of one's own, the nearest class of handlerkit; without
    it such a class is taken to fit.
    """
    running = _running(config, entry, nearest)
    faults = [
        *_check_class(config, running, nearest),
        *_check_derived(config, running),
        *_check_workers(config, running),
    ]
    warnings = [
        *_without_effect(config, running),
        *_charset(config),
        *_revealing(config),
    ]
    if entry == "serve":
        warnings += _unheeded(config, running)
        warnings += _unheeded_of_gunicorn(config, running)
    return faults, warnings


def _running(config: Config, entry: Entry, nearest: str | None) -> str:
    if entry == "wsgi":
        return "hosted"
    if entry == "serve":
        engine = config.server.engine
        return protocol(config, nearest) if engine == "builtin" else "hosted"
    return entry


def protocol(config: Config, nearest: str | None) -> str:
    """Say what `serve` speaks, by the handler class: builtin (HTTP), fastcgi, scgi."""
    given = config.handler.class_
    name = nearest if ":" in given else given
    return _PROTOCOLS.get(name or "", "builtin")


def _decider(running: str) -> tuple[TomlPath, str, str]:
    """Give the place that makes a way of running what it is, for a second caret."""
    of_class = running in _PROTOCOLS.values()
    path = ("handler", "class") if of_class else ("server", "engine")
    return path, "value", f"this makes it {_RUNS[running]}"


def _check_class(config: Config, running: str, nearest: str | None) -> list[Fault]:
    given = config.handler.class_
    name = nearest if ":" in given else given
    if name is None or name == "auto" or name in _FITTING[running]:
        return []
    what = given if name == given else f"{given}, a {name},"
    text = f"{what} does not fit {_RUNS[running]}"
    hint = _CALLS[name]
    path = ("handler", "class")
    return [Fault("HK407", text, path=path, hint=hint, also=[_decider(running)])]


def _check_derived(config: Config, running: str) -> list[Fault]:
    faults = []
    for name, why in _DERIVED.get(running, {}).items():
        if getattr(config.handler, name) is not None:
            text = f"{name} is not a setting of {_RUNS[running]}"
            also = [_decider(running)]
            if name in _FOLLOWS:
                also = [(_FOLLOWS[name], "value", "it follows from this")]
            path = ("handler", name)
            faults.append(Fault("HK408", text, path=path, hint=why, also=also))
    return faults


def _check_workers(config: Config, running: str) -> list[Fault]:
    if running != "builtin" or config.server.workers == 1:
        return []
    text = "workers must be 1: the built-in server is one process"
    hint = 'engine = "granian" and engine = "gunicorn" have more'
    path = ("server", "workers")
    return [Fault("HK412", text, path=path, hint=hint, also=[_decider(running)])]


def _without_effect(config: Config, running: str) -> list[Fault]:
    """Warn of what is set in vain."""
    handler = config.handler
    in_vain = running in ("hosted", "fastcgi", "scgi") or (
        running == "cgi" and not handler.origin_server
    )
    if handler.server_software is None or not in_vain:
        return []
    text = f"server_software has no effect in {_RUNS[running]}"
    path = ("handler", "server_software")
    return [Fault("HK409", text, path=path, also=[_decider(running)])]


def _unheeded(config: Config, running: str) -> list[Fault]:
    """Warn of limits that nobody holds: an engine has its own, a protocol none."""
    engine = config.server.engine
    where, hint = _RUNS[running], ""
    if running == "hosted":
        where, hint = engine, f"{engine} has limits of its own, for [server.{engine}]"
    fields = type(config.server).model_fields
    return [
        Fault(
            "HK409",
            f"{name} has no effect on {where}",
            path=("server", name),
            hint=hint,
            also=[_decider(running)],
        )
        for name in _UNHEEDED[running]
        if getattr(config.server, name) != fields[name].default
    ]


def _unheeded_of_gunicorn(config: Config, running: str) -> list[Fault]:
    """Warn of what is about HTTP where gunicorn only manages the processes."""
    if running not in _PROTOCOLS.values():
        return []
    return [
        Fault(
            "HK409",
            f"{name} of gunicorn has no effect on {_RUNS[running]}",
            path=("server", "gunicorn", name),
            hint="it is about HTTP, which the web server in front speaks",
            also=[_decider(running)],
            on="key",
        )
        for name in config.server.gunicorn
        if name in _OF_HTTP
    ]


def _charset(config: Config) -> list[Fault]:
    """Warn of an error page that does not tell its encoding."""
    handler = config.handler
    types = [v for name, v in handler.error_headers if name.lower() == "content-type"]
    told = any("charset" in value.lower() for value in types)
    if handler.error_body.isascii() or told:
        return []
    text = "error_body is sent as UTF-8, which error_headers does not say"
    hint = 'error_headers = [["Content-Type", "text/plain; charset=utf-8"]]'
    also = [(("handler", "error_headers"), "value", "no charset here")]
    path = ("handler", "error_body")
    return [Fault("HK204", text, path=path, hint=hint, also=also)]


def _revealing(config: Config) -> list[Fault]:
    """Warn where secrets leave the process."""
    if config.redact.enabled:
        return []
    text = "nothing is redacted: logs will hold what they are given, secrets too"
    hint = "allow_keys excuses single names"
    return [Fault("HK414", text, path=("redact", "enabled"), hint=hint)]
