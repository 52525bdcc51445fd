"""The configuration as models: every key, its type, its default, and what it does.

The reference in the docs, ``config.example.toml`` and what `init` writes are made
from the descriptions here.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from handlerkit.config import grammar
from handlerkit.config.objects import load_objects
from handlerkit.config.redact import RedactSettings
from handlerkit.config.table import Array, Table
from handlerkit.config.values import (
    Bind,
    ByName,
    Class,
    Directory,
    EngineTable,
    Header,
    Mode,
    Object,
    Owner,
    Seconds,
    Software,
    Target,
    Trusted,
    Use,
    Variable,
    empty,
    freeze,
)
from handlerkit.handlers.environ import process_environ

if TYPE_CHECKING:
    from collections.abc import Mapping


class AppSettings(Table):
    """The application, and where to find it."""

    target: Target | None = Field(
        default=None,
        description="The WSGI application: module:attribute, or module:factory() "
        "to call for it.",
        examples=["myproject.wsgi:application"],
    )
    path: Array[Directory] = Field(
        default=(".",),
        description="Directories that join sys.path, relative to this file.",
    )


class HandlerSettings(Table):
    """The handler class and its attributes; one left out stays as the class has it."""

    class_: Class = Field(
        default="auto",
        validation_alias="class",
        serialization_alias="class",
        description='"auto" (what the way of running takes), a class of handlerkit, or '
        "package.module:Class.",
    )
    error_status: Annotated[str, AfterValidator(grammar.check_status)] = Field(
        default="500 Internal Server Error",
        description="Status of the error page.",
    )
    error_headers: Array[Header] = Field(
        default=(("Content-Type", "text/plain"),),
        description="Headers of the error page, each a [name, value] pair.",
    )
    error_body: str = Field(
        default="A server error occurred.  Please contact the administrator.",
        description="Body of the error page, sent as UTF-8.",
    )
    traceback_limit: int | None = Field(
        default=None,
        ge=0,
        description="Most frames of a traceback in the log; all where it is left out.",
        examples=[50],
    )
    os_environ: Annotated[
        Literal["none", "inherit"] | Array[Variable],
        BeforeValidator(grammar.check_environ),
    ] = Field(
        default="none",
        description="Process variables that every environ has: "
        '"none", "inherit", or an array of names.',
    )
    wsgi_file_wrapper: Annotated[
        Object | Literal[False] | None, BeforeValidator(grammar.check_wrapper)
    ] = Field(
        default=None,
        description="wsgi.file_wrapper of environ: package.module:Class, or false for "
        "none.",
        examples=["wsgiref.util:FileWrapper"],
    )
    headers_class: Object | None = Field(
        default=None,
        description="The class of response headers, with the methods of "
        "wsgiref.headers.Headers.",
        examples=["wsgiref.headers:Headers"],
    )
    server_software: Software | None = Field(
        default=None,
        description="Server header and SERVER_SOFTWARE, where the handler is the "
        "origin server.",
        examples=["handlerkit"],
    )
    origin_server: bool | None = Field(
        default=None,
        description="Whether to send a status line (an origin server does) or the "
        "Status header of CGI.",
        examples=[True],
    )
    http_version: Literal["1.0", "1.1"] | None = Field(
        default=None,
        description="HTTP version of the status line, where origin_server is true.",
        examples=["1.0"],
    )
    wsgi_multithread: bool | None = Field(
        default=None,
        description="wsgi.multithread of environ.",
        examples=[True],
    )
    wsgi_multiprocess: bool | None = Field(
        default=None,
        description="wsgi.multiprocess of environ.",
        examples=[True],
    )
    wsgi_run_once: bool | None = Field(
        default=None,
        description="wsgi.run_once of environ.",
        examples=[False],
    )

    def attributes(self) -> dict[str, object]:
        """Give what the handler's class attributes are to be.

        Only what was set, and ``os_environ``, whose default here is not the class's.

        Raises:
            ConfigError: an object named here cannot be imported, or used.
        """
        given = {
            name: getattr(self, name)
            for name in type(self).model_fields
            if name in self.model_fields_set and getattr(self, name) is not None
        }
        given.pop("class_", None)
        names = {
            name: given.pop(name)
            for name in ("wsgi_file_wrapper", "headers_class")
            if isinstance(given.get(name), str)
        }
        given |= load_objects(names, ("handler",))
        if "error_body" in given:
            given["error_body"] = self.error_body.encode()
        if "error_headers" in given:
            given["error_headers"] = [tuple(pair) for pair in self.error_headers]
        if given.get("wsgi_file_wrapper") is False:
            given["wsgi_file_wrapper"] = None
        given["os_environ"] = self._environ()
        return given

    def _environ(self) -> dict[str, str]:
        if self.os_environ == "none":
            return {}
        process = process_environ()
        if self.os_environ == "inherit":
            return process
        return {name: process[name] for name in self.os_environ if name in process}


class ServerSettings(Table):
    """Where and by whom requests are served; limits are of the built-in servers."""

    bind: Bind = Field(
        default="127.0.0.1:8000",
        description='Where to listen: "host:port", "[::1]:port", "unix:/path", '
        '"fd:3", or "systemd".',
    )
    engine: Literal["builtin", "granian", "gunicorn"] = Field(
        default="builtin",
        description='Who speaks HTTP: "builtin" (for development), "granian" or '
        '"gunicorn".',
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=10_000,
        description="Processes; more than 1 needs an engine, or, for FastCGI and "
        "SCGI, gunicorn.",
    )
    threads: int = Field(
        default=8, ge=1, le=10_000, description="Threads of each process."
    )
    unix_owner: Owner | None = Field(
        default=None,
        description='Owner of a unix socket: "user", "user:group", or ":group".',
        examples=[":www-data"],
    )
    unix_mode: Mode = Field(
        default="660", description="Permissions of a unix socket, in octal."
    )
    backlog: int = Field(
        default=1024,
        ge=1,
        le=65_535,
        description="Connections that may wait to be accepted.",
    )
    max_connections: int = Field(
        default=1000, ge=1, description="Connections open at one time."
    )
    max_request_line: int = Field(
        default=8190, ge=1, description="Bytes of a request line."
    )
    max_header_size: int = Field(
        default=65536, ge=1, description="Bytes of a whole request head."
    )
    max_headers: int = Field(default=100, ge=1, description="Headers of a request.")
    max_params: int = Field(
        default=250, ge=1, description="CGI variables of a FastCGI or SCGI request."
    )
    max_param_name: int = Field(
        default=1024,
        ge=127,
        description="Bytes of a name among the variables of a FastCGI request.",
    )
    max_param_value: int = Field(
        default=65536,
        ge=127,
        description="Bytes of a value among the variables of a FastCGI request.",
    )
    max_requests: int = Field(
        default=16,
        ge=1,
        description="Requests open at one time on one FastCGI connection.",
    )
    max_unread: int = Field(
        default=262144,
        ge=1,
        description="Bytes of a request body by FastCGI that wait for the application, "
        "before nothing more is read.",
    )
    max_idle_records: int = Field(
        default=100,
        ge=1,
        description="FastCGI records in a row that bring nothing, before the "
        "connection is cut.",
    )
    max_body: int = Field(
        default=1073741824, ge=0, description="Bytes of a request body; 0 for no limit."
    )
    header_timeout: Seconds = Field(
        default=10.0, description="Seconds for a request head to arrive."
    )
    keep_alive_timeout: Seconds | None = Field(
        default=None,
        description="Seconds that an idle connection is kept; where it is left out, "
        "5 for HTTP and 75 for FastCGI.",
        examples=[5.0],
    )
    read_timeout: Seconds = Field(
        default=60.0, description="Seconds that a request body may be waited for."
    )
    write_timeout: Seconds = Field(
        default=60.0, description="Seconds that a client may let a write wait."
    )
    graceful_timeout: Seconds = Field(
        default=30.0, description="Seconds that running exchanges get at a stop."
    )
    granian: EngineTable = Field(
        default_factory=empty,
        description="Passed on to granian, under its own names.",
    )
    gunicorn: EngineTable = Field(
        default_factory=empty,
        description="Passed on to gunicorn, under its own names.",
    )


class ProxySettings(Table):
    """The proxies to believe, for every plugin that must know."""

    trusted: Array[Trusted] = Field(
        default=(),
        description='Peers whose word is taken: "unix" (a unix socket\'s), '
        "addresses, networks.",
        examples=[["unix", "10.0.0.0/8"]],
    )


class HookSettings(Table):
    """The plugins on one hook."""

    order: Array[str] = Field(
        default=(),
        description="Plugins that are called first, in this order; the rest follow as "
        "in the file.",
    )
    exclude: Array[str] = Field(
        default=(), description="Plugins that are taken off this hook."
    )


class FreezeSettings(Table):
    """What becomes of a kit that was frozen, and is not as it was any more."""

    on_drift: Literal["error", "rebuild"] = Field(
        default="error",
        description='What a CGI process does then: answer 500 ("error"), or load '
        'everything, and freeze anew if it may ("rebuild").',
    )


class PluginEntry(Table):
    """One plugin: what handlerkit must know of it, and its own settings."""

    model_config = ConfigDict(extra="allow")

    use: Use | None = Field(
        default=None,
        min_length=1,
        description="A name, module:attribute or ./file.py; else the name of this "
        "table.",
        examples=["package.module:Plugin"],
    )
    enabled: bool = Field(default=True, description="Whether it is active.")
    required: bool = Field(
        default=True,
        description="Whether nothing runs if the plugin cannot be loaded, or started.",
    )
    on_error: Literal["fail", "skip"] = Field(
        default="fail",
        description='Whether an enriching hook of it that raises is skipped ("skip"), '
        "or fails the exchange.",
    )

    @property
    def settings(self) -> Mapping[str, Any]:
        """The plugin's own settings, as the file has them."""
        return MappingProxyType(self.__pydantic_extra__ or {})


def _name_plugins(entries: Mapping[str, PluginEntry]) -> Mapping[str, PluginEntry]:
    named = {
        name: entry if entry.use else entry.model_copy(update={"use": name})
        for name, entry in entries.items()
    }
    return freeze(named)


class Config(Table):
    """The whole configuration, without the plugins' own settings checked."""

    app: AppSettings = Field(default_factory=AppSettings)
    handler: HandlerSettings = Field(default_factory=HandlerSettings)
    server: ServerSettings = Field(default_factory=ServerSettings)
    proxies: ProxySettings = Field(default_factory=ProxySettings)
    redact: RedactSettings = Field(default_factory=RedactSettings)
    freeze: FreezeSettings = Field(default_factory=FreezeSettings)
    hooks: ByName[HookSettings] = Field(
        default_factory=empty, description="Per hook, who is called."
    )
    plugins: Annotated[ByName[PluginEntry], AfterValidator(_name_plugins)] = Field(
        default_factory=empty, description="The plugins, in order."
    )


# Tables by their own name in the file, without those that have a name for each entry.
TABLES: Mapping[str, type[Table]] = {
    name: field.annotation
    for name, field in Config.model_fields.items()
    if isinstance(field.annotation, type)
}
