"""error-page's pages, as bytes: every format of one status, made at start."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from handlerkit.builtin.settings import ErrorPageSettings

MEDIA = {
    "text": "text/plain",
    "html": "text/html",
    "problem": "application/problem+json",
    "json": "application/json",
}

# What stands in a page for the report's id, plain and as a UUID.
ID = "{{id}}"
_UUID = "{{uuid}}"

STYLE = """\
:root{color-scheme:light dark;--ground:#f3f5f8;--card:#fff;--ink:#1a1f26;\
--soft:#556070;--line:#dbe1e8;--accent:#0a58a8}
@media (prefers-color-scheme:dark){:root{--ground:#0f1318;--card:#181d24;\
--ink:#e9ecf0;--soft:#a5b0bd;--line:#2f3741;--accent:#82bbff}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.25rem;\
background:var(--ground);color:var(--ink);overflow-wrap:anywhere;\
font:1.0625rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,Cantarell,\
"Noto Sans",Arial,sans-serif}
main{width:100%;max-width:36rem;padding:clamp(1.5rem,6vw,3rem);\
background:var(--card);border:1px solid var(--line);\
border-block-start:.3rem solid var(--accent);border-radius:.75rem}
p{margin:0}
h1{margin:.25rem 0 .75rem;font-size:clamp(1.6rem,6vw,2.1rem);line-height:1.2}
.status{color:var(--soft);font-size:.9375rem}
.message{white-space:pre-line}
dl{margin:1.75rem 0 0;padding-block-start:1.25rem;\
border-block-start:1px solid var(--line)}
dt{color:var(--soft);font-size:.9375rem}
dd{margin:0}
code{font:clamp(.78rem,3.7vw,.9375rem)/1.6 ui-monospace,SFMono-Regular,Consolas,\
"DejaVu Sans Mono",monospace;user-select:all}
nav{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;margin-block-start:1.75rem}
a{color:var(--accent);text-underline-offset:.2em}
a:focus-visible{outline:.15rem solid;outline-offset:.2rem}
"""
# Of STYLE, in base64: hashlib would cost a CGI process more than all the pages.
STYLE_SHA256 = "baPdSHTCIEO30ta3eJcLe3McABX3xtFEOBpjI8W1X1M="

_POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_SHA256}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<title>{code} · {title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<style>{style}</style>
</head>
<body>
<main>
<p class="status" lang="en">{status}</p>
<h1 dir="auto">{title}</h1>
<p class="message" dir="auto">{message}</p>
{rest}</main>
</body>
</html>
"""
_SHOWN_ID = "<dl><dt>{label}</dt><dd><code>{id}</code></dd></dl>\n"

_HTML = {
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
    ord("'"): "&#39;",
}
_JSON = {number: f"\\u{number:04x}" for number in (*range(32), 34, 92, 127)}

_UUID_PARTS = (slice(8), slice(8, 12), slice(12, 16), slice(16, 20), slice(20, None))


class Variant:
    """The page of one status in one format."""

    __slots__ = ("_with_id", "_without", "headers")

    def __init__(
        self, headers: list[tuple[str, str]], with_id: str, without: str
    ) -> None:
        self.headers = headers
        self._with_id = with_id.encode()
        self._without = without.encode()

    def body(self, report_id: str | None) -> bytes:
        """Give the body that shows an id of 32 hex digits, or the one without."""
        if report_id is None:
            return self._without
        uuid = "-".join([report_id[part] for part in _UUID_PARTS])
        body = self._with_id.replace(ID.encode(), report_id.encode())
        return body.replace(_UUID.encode(), uuid.encode())


def render(status: str, settings: ErrorPageSettings) -> Mapping[str, Variant]:
    """Give the variants of a status, "500 Internal Server Error", by format."""
    headers = _headers(status, settings)
    found: dict[str, Variant] = {}
    for name in settings.formats:
        own = _own_page(status, settings) if name == "html" else None
        if own is not None:
            shown, silent, policy = own, own, settings.static_policy
        else:
            make, policy = _MAKERS[name], _POLICY
            shown, silent = make(status, settings, ID), make(status, settings, "")
        charset = "; charset=utf-8" if MEDIA[name].startswith("text/") else ""
        kind = [
            ("Content-Type", MEDIA[name] + charset),
            ("Content-Security-Policy", policy),
        ]
        found[name] = Variant(kind + headers, shown, silent.replace(ID, ""))
    return found


def _headers(status: str, settings: ErrorPageSettings) -> list[tuple[str, str]]:
    """Give the headers that all formats have."""
    headers = [
        ("Content-Language", settings.language),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if len(settings.formats) > 1:
        headers.append(("Vary", "Accept"))
    if settings.retry_after is not None and not _is_refusal(status):
        headers.append(("Retry-After", str(settings.retry_after)))
    return headers


def _own_page(status: str, settings: ErrorPageSettings) -> str | None:
    """Give the deployer's page of a status, or of all that begin like it."""
    pages = settings.static
    return pages.get(status[:3], pages.get(f"{status[:1]}xx"))


def _is_refusal(status: str) -> bool:
    return status.startswith("4")


def _said(status: str, settings: ErrorPageSettings) -> tuple[str, str]:
    """Give title and message."""
    if _is_refusal(status):
        return settings.refused_title, settings.refused_message
    return settings.title, settings.message


def _html(status: str, settings: ErrorPageSettings, shown: str) -> str:
    title, message = _said(status, settings)
    rest = ""
    if shown:
        rest = _SHOWN_ID.format(label=_escaped(settings.id_label), id=shown)
    links = "".join(
        f'<a href="{_escaped(target)}">{_escaped(label)}</a>\n'
        for label, target in _links(settings)
    )
    if links:
        rest += f"<nav>\n{links}</nav>\n"
    return _PAGE.format(
        language=_escaped(settings.language),
        code=_escaped(status[:3]),
        status=_escaped(status),
        title=_escaped(title),
        message=_escaped(message),
        style=STYLE,
        rest=rest,
    )


def _links(settings: ErrorPageSettings) -> list[tuple[str, str]]:
    links = (
        (settings.home_label, settings.home),
        (settings.contact_label, settings.contact),
    )
    return [(label, target) for label, target in links if target is not None]


def _text(status: str, settings: ErrorPageSettings, shown: str) -> str:
    title, message = _said(status, settings)
    text = f"{status}\n\n{title}\n{message}\n"
    if shown:
        text += f"\n{settings.id_label}: {shown}\n"
    if settings.contact is not None:
        text += f"{settings.contact_label}: {settings.contact}\n"
    return text


def _problem(status: str, settings: ErrorPageSettings, shown: str) -> str:
    """Give a problem object: the title of ``about:blank`` is HTTP's (RFC 9457, 4.2)."""
    members = {
        "type": '"about:blank"',
        "title": _quoted(status[4:]),
        "status": _number(status),
        "detail": _quoted(_said(status, settings)[1]),
    }
    if shown:
        members |= {"instance": f'"urn:uuid:{_UUID}"', "id": _quoted(shown)}
    return _object(members)


def _json(status: str, settings: ErrorPageSettings, shown: str) -> str:
    title, message = _said(status, settings)
    members = {
        "status": _number(status),
        "title": _quoted(title),
        "message": _quoted(message),
    }
    if shown:
        members["id"] = _quoted(shown)
    return _object(members)


def _object(members: Mapping[str, str]) -> str:
    inner = ", ".join(f'"{name}": {text}' for name, text in members.items())
    return f"{{{inner}}}\n"


def _number(status: str) -> str:
    return status[:3] if status[:3].isdecimal() and status.isascii() else "500"


def _quoted(text: str) -> str:
    return f'"{text.translate(_JSON)}"'


def _escaped(text: str) -> str:
    return text.translate(_HTML)


_MAKERS = {"text": _text, "html": _html, "problem": _problem, "json": _json}
