"""Compare what came with what must come."""

import re
from collections.abc import Iterable
from dataclasses import replace

from tests.conformance.cases import CASES, Case
from tests.conformance.hosts import Host, Seen, told

PAGE = b"A server error occurred.  Please contact the administrator."


def applies(case: Case, host: Host) -> bool:
    if host.only is not None and not host.only & set(case.covers):
        return False
    return bool(case.where & host.speaks)


def judge(case: Case, host: Host, seen: Seen) -> list[str]:
    """Name each fault of one exchange, in few words; none: the case has passed."""
    faults = list(seen.faults)
    faults += _status(case, host, seen)
    faults += _end(case, host, seen)
    faults += _content(case, host, seen)
    faults += told(case, seen)
    faults += _events(case, host, seen)
    return faults


def is_page(host: Host, seen: Seen) -> bool:
    """Say whether a front server put a page of its own in the place of a response.

    Some can as long as they have not begun to pass a response on; it is better than
    one that breaks off.
    """
    return "front" in host.speaks and (seen.answer.status or 0) >= 500


def _status(case: Case, host: Host, seen: Seen) -> list[str]:
    if case.status is None or case.client == "leaving":
        return []
    found = seen.answer.status
    if case.ends.startswith("broken") and (found is None or is_page(host, seen)):
        return []  # some servers drop even the head of a response that broke off
    return [] if found in _either(case.status) else [f"status {found or 'none'}"]


def _end(case: Case, host: Host, seen: Seen) -> list[str]:
    answer = seen.answer
    failed = bool(answer.exit_status)
    whole = answer.complete and not failed
    if case.ends == "any":
        return []
    faults = list(answer.faults)
    if case.ends.startswith("broken"):
        page = answer.status == 500 and case.ends == "broken or 500"
        if whole and not page and not is_page(host, seen):
            faults.append("looks whole")
        return faults
    if answer.extra:
        faults.append(f"{len(answer.extra)} bytes after the response")
    if not answer.complete and not faults:
        faults.append("incomplete")
    if answer.exit_status not in (None, case.exits):
        faults.append(f"exit status {answer.exit_status}")
    return faults


def _content(case: Case, host: Host, seen: Seen) -> list[str]:
    answer = seen.answer
    faults = []
    for name, value in case.has.items():
        found = ", ".join(answer.values(name))
        if found not in _either(value):
            faults.append(f"{name}: {found or 'none'}")
    faults += [f"{name} is there" for name in case.lacks if answer.values(name)]
    if case.text is not None and answer.body not in _either(case.text):
        faults.append(f"body {_short(answer.body)}")
    if case.framings and answer.framing not in (*case.framings, "exit"):
        faults.append(f"framed by {answer.framing or 'nothing'}")
    if b"private" in answer.body + answer.extra:
        faults.append("the error is shown to the client")
    page = host.ours and case.ends == "whole" and answer.status == 500
    if page and case.status == 500 and answer.body != PAGE:
        faults.append(f"the page is {_short(answer.body)}")
    return faults


def _either(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def _short(body: bytes) -> str:
    return repr(body[:40]) if len(body) <= 40 else f"of {len(body)} bytes"


def _events(case: Case, host: Host, seen: Seen) -> list[str]:
    faults = []
    for name, wanted in case.events.items():
        found = seen.events.get(name, [])
        if found == wanted or (wanted == [...] and len(found) == 1):
            continue
        faults.append(
            f"{name} {len(found)} times" if len(found) != 1 else f"{name}: {found[0]}"
        )
    if host.ours:
        found = seen.events.get("outcome", [])
        ended = found[0] if found else None
        if len(found) > 1 or ended not in case.outcome():
            faults.append(f"request_finished: {found}")
    return faults


def judge_lines(host: Host, seen: Seen, lines: list[dict[str, object]]) -> list[str]:
    """Say where the access log and the client do not agree.

    Of a response that broke off, a client may have received less; a hosting server
    that had not sent its head yet answers in its own way.
    """
    answer = seen.answer
    outcomes = seen.events.get("outcome", [])
    if [line["handlerkit.outcome"] for line in lines] != outcomes:
        return [f"{lines} for {outcomes}"]
    if not lines or answer.status is None:
        return []
    status = lines[0].get("http.response.status_code")
    size = lines[0]["http.response.body.size"]
    whole = outcomes[0] in ("ok", "error")
    hosted = answer.status == 500 and "own" not in host.speaks
    fronts = "front" in host.speaks and status is None  # half a request, say
    if status != answer.status and (
        whole or not (hosted or fronts or is_page(host, seen))
    ):
        return [f"status {status}, received {answer.status}"]
    received = len(answer.body)
    if size != received and (whole or (status == answer.status and size < received)):
        return [f"{size} bytes, received {received}"]
    return []


def run(host: Host, cases: Iterable[Case] = CASES) -> dict[str, list[str]]:
    """Run every case that applies on a started host; give the faults of each."""
    found = {}
    for case in cases:
        if applies(case, host):
            seen = host.ask(case)
            found[case.id] = judge(case, host, seen)
            host.logs[case.id] = seen.log[-3000:]
            host.seen.append(seen)
    return found


def run_watched(host: Host) -> dict[str, list[str]]:
    """Run what obeys PEP 3333 again, with `wsgiref.validate` around application.

    Inside an engine it is around handlerkit too. What it has to say it writes to
    the log, or raises into the application.
    """
    start = len(host.log())
    proper = (case for case in CASES if case.proper)
    faults = run(host, (replace(c, path=f"/validated{c.path}") for c in proper))
    words = re.findall(
        r".*(?:AssertionError|WSGIWarning|garbage coll).*", host.log(start)
    )
    return {**faults, "the log": words}
