"""``handlerkit trace``: one exchange in process, and its way through the hooks."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from handlerkit import config
from handlerkit.cli.arguments import content, header, method, peer, target
from handlerkit.handlers import HostedHandler
from handlerkit.kit.assembly import assemble
from handlerkit.kit.exchanging import request_environ
from handlerkit.kit.reporting import redactor
from handlerkit.kit.tracing import Telling, described
from handlerkit.kit.tracing import trace as run_traced

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from handlerkit.config.crosschecks import Entry
    from handlerkit.kit.assembly import Kit
    from handlerkit.kit.tracing import Trace

_LONGEST = 200  # characters of a value in a line
_RUNS: dict[str, str] = {
    "serve": "as serve runs it",
    "cgi": "as run_cgi runs it",
    "wsgi": "as wsgi runs it",
    "handler": "as kit.handler() makes it",
}


def add_options(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("method", type=method, metavar="METHOD", help="as GET")
    parser.add_argument(
        "path", type=target, metavar="PATH", help="the path, with or without a query"
    )
    parser.add_argument(
        "-H",
        "--header",
        action="append",
        default=[],
        type=header,
        metavar="'NAME: VALUE'",
        help="a header of the request; as often as needed, in order",
    )
    body = parser.add_mutually_exclusive_group()
    body.add_argument("--data", default="", metavar="TEXT", help="the request's body")
    body.add_argument(
        "--data-file", metavar="FILE", help="a file that has it; - for stdin"
    )
    parser.add_argument(
        "--peer",
        default="127.0.0.1",
        type=peer,
        metavar="ADDRESS",
        help="who is connected: an address, or unix (default: 127.0.0.1)",
    )
    parser.add_argument(
        "--for",
        dest="entry",
        choices=("serve", "cgi", "wsgi"),
        help="the way of running (default: one that the handler class fits)",
    )
    parser.add_argument("--body", action="store_true", help="print the body, too")
    parser.add_argument("--json", action="store_true", help="for a machine to read")


def trace(options: Namespace) -> int:
    """Run one exchange, and print its way; 1 if it did not end well."""
    body = _body(options)
    entry: Entry = options.entry or _fitting(options.config)
    with redirect_stdout(sys.stderr):  # what the application prints is not part of it
        kit = assemble(options.config, None, entry=entry, complete=True)
        kit.start()
        try:
            address = {"REMOTE_ADDR": "" if options.peer == "unix" else options.peer}
            environ = request_environ(
                options.method, options.path, options.header, body, address
            )
            noted = run_traced(kit, environ, body)
        finally:
            kit.close()
    told = _told(kit, noted, options, entry)
    if options.json:
        print(json.dumps(told, indent=2))
    else:
        print("\n".join(_lines(told)))
        if options.body:
            sys.stdout.flush()
            sys.stdout.buffer.write(noted.answer.body)
    return 0 if noted.outcome is not None and noted.outcome.kind == "ok" else 1


def _body(options: Namespace) -> bytes:
    if options.data_file is None:
        return str(options.data).encode("utf-8", "surrogateescape")
    return content(options.data_file)


def _fitting(source: str) -> Entry:
    """Give the way of running that fits the handler class of a file."""
    settings, _ = config.validate(config.read(source))
    name = "auto" if settings is None else settings.handler.class_
    if name in ("CGIHandler", "IISCGIHandler"):
        return "cgi"
    if name == "HostedHandler" and settings and settings.server.engine == "builtin":
        return "wsgi"
    if ":" in name or name in ("BaseHandler", "BaseCGIHandler"):
        return "handler"
    return "serve"


def _told(kit: Kit, noted: Trace, options: Namespace, entry: Entry) -> dict[str, Any]:
    """Give all that was noted, as values that JSON has, redacted."""
    path, _, query = options.path.partition("?")
    rules = redactor(kit.config, kit.document.secrets)
    telling = Telling(rules, noted.seen, query)
    kind, outcome, answer = kit.handler_class, noted.outcome, noted.answer
    told: dict[str, Any] = {
        "request": {
            "method": options.method,
            "path": telling.text(path),
            "query": telling.query,
        },
        "handler": f"{kind.__module__}.{kind.__name__}",
        "running": entry,
        "hosted": issubclass(kind, HostedHandler),
        "application": kit.config.app.target,
        "steps": [step.told(telling) for step in noted.steps],
        "response": {
            "status": telling.text(answer.status),
            "headers": [
                [telling.text(name), telling.value(name, value)]
                for name, value in answer.headers
            ],
            "bytes": len(answer.body),
        },
        "outcome": None
        if outcome is None
        else {
            "kind": outcome.kind,
            "status": outcome.status and telling.text(outcome.status),
            "bytes_sent": outcome.bytes_sent,
            "first_byte": outcome.first_byte,
            "duration": outcome.duration,
        },
        "reports": noted.reports,
        "log": telling.text(answer.errors, limit=None),
        "raised": None
        if noted.raised is None
        else telling.text(described(noted.raised)),
    }
    if options.body:
        told["response"]["body"] = answer.body.decode("utf-8", "backslashreplace")
    return told


# --- As text ------------------------------------------------------------------


def _lines(told: dict[str, Any]) -> Iterator[str]:
    request = told["request"]
    query = f"?{request['query']}" if request["query"] else ""
    yield f"request   {request['method']} {_plain(request['path'] + query)}"
    means = "in a server of memory" if told["hosted"] else "over streams of memory"
    yield f"handler   {told['handler']}, {_RUNS[told['running']]}, {means}"
    for step in told["steps"]:
        yield from _step_lines(step, told["application"])
    response = told["response"]
    yield f"response  {_plain(response['status']) or 'none'}"
    for name, value in response["headers"]:
        yield f"          {_plain(name)}: {_plain(value)}"
    yield from _outcome_lines(told)
    for line in told["log"].splitlines():
        yield f"log       {_plain(line)}"


def _step_lines(step: dict[str, Any], application: str) -> Iterator[str]:
    if step["hook"] == "application":
        yield f"call      application: {application}"
        return
    hook = "  " * step["depth"] + step["hook"]
    time = "" if step["seconds"] is None else f"{step['seconds'] * 1e6:7.0f} \u00b5s"
    yield f"call      {hook:<18} {step['plugin']:<16} {step['verdict']:<8} {time}"
    if step["raised"]:
        yield f"          raised   {_plain(step['raised'])}"
    for what in ("environ", "headers"):
        for change in step[what]:
            yield f"          {what:<8} {_changed(change)}"


def _changed(change: dict[str, Any]) -> str:
    name, before, after = _plain(change["name"]), change["before"], change["after"]
    if after is None:
        return f"- {name}  (was {_short(before)})"
    if before is None:
        return f"+ {name} = {_short(after)}"
    return f"~ {name} = {_short(after)}  (was {_short(before)})"


def _outcome_lines(told: dict[str, Any]) -> Iterator[str]:
    outcome = told["outcome"]
    if outcome is None:
        yield "outcome   none: the handler did not end the exchange"
    else:
        first = outcome["first_byte"]
        began = "" if first is None else f", the head after {first * 1e3:.2f} ms"
        yield (
            f"outcome   {outcome['kind']}: {outcome['bytes_sent']} bytes "
            f"in {outcome['duration'] * 1e3:.2f} ms{began}"
        )
        inside = [each["seconds"] or 0.0 for each in told["steps"] if not each["depth"]]
        yield f"          {sum(inside) * 1e3:.2f} ms of it in hooks"
    for report in told["reports"]:
        yield f"report    {report}"
    if told["raised"]:
        yield f"raised    {_plain(told['raised'])}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\u2026"


def _plain(text: Any) -> str:
    """Give a text in one line that drives no terminal."""
    said = str(text)
    return said if said.isprintable() else repr(said)[1:-1]
