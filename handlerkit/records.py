"""What hooks are given of an exchange: `Report` of an error, `Outcome` of the whole."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Description(Protocol):
        """What a report has to read of its error."""

        text: str
        message: str
        frames: tuple[Any, ...]
        fingerprint: str

        @property
        def brief(self) -> str:
            """Give the text without frames."""

        @property
        def request_line(self) -> str:
            """Give method, path and query."""

        def to_dict(self) -> dict[str, Any]:
            """Give request and exception as values that JSON has."""

    class Describe(Protocol):
        """What reads an error for its report; without frames, if that is enough."""

        def __call__(self, *, brief: bool = False) -> Description:
            """Read it."""


class Report:
    """What is known of one error, and may leave the process: it is redacted.

    ``id`` is 128 bits in hex and sorts by time; the page, the log and the response
    name the same one. ``phase`` says when it happened: ``"before headers"``,
    ``"after headers"``, ``"in close"``, ``"handed to start_response"``, "" outside of
    an exchange. ``type`` is the exception's, with its module. ``duration`` is in
    seconds since the exchange began, None where nobody noted that.

    All else is made when first read, once, and from then on the report holds neither
    exception nor traceback. ``brief`` alone, and after it ``message``, ``fingerprint``
    and ``request_line``, are made without the frames, for a fraction of the time. Read
    what you need while the hook runs: what was not read when the exchange ends is gone,
    but for ``type``.
    """

    __slots__ = ("_describe", "_known", "duration", "id", "phase", "type")

    def __init__(
        self,
        report_id: str,
        kind: str,
        describe: Describe,
        *,
        phase: str = "",
        duration: float | None = None,
    ) -> None:
        self.id = report_id
        self.type = kind
        self.phase = phase
        self.duration = duration
        self._describe: Describe | None = describe
        self._known: Description | None = None

    def _read(self) -> Description | None:
        describe = self._describe
        if describe is not None:
            self._known = describe()
            self._describe = None
        return self._known

    def _glance(self) -> Description | None:
        """Take what was read, if only in brief; else read all."""
        return self._read() if self._known is None else self._known

    def release(self) -> None:
        """Let go of the exception; the handler does, when the exchange ends."""
        self._describe = None

    @property
    def text(self) -> str:
        """The traceback as text, ending in a newline.

        As Python prints it, with chains, groups, notes and carets. No value can forge
        a line: control characters are escaped, further lines of a message indented.
        """
        known = self._read()
        return f"{self.type}: not read in time\n" if known is None else known.text

    @property
    def brief(self) -> str:
        """`text` without its frames: each exception's type, message and notes.

        For who has the frames already, in a flood of one error.
        """
        if self._known is None and self._describe is not None:
            self._known = self._describe(brief=True)
        known = self._known
        return f"{self.type}: not read in time\n" if known is None else known.brief

    @property
    def message(self) -> str:
        """What the exception says."""
        known = self._glance()
        return "" if known is None else known.message

    @property
    def frames(self) -> tuple[Any, ...]:
        """The exception's frames, the innermost last.

        Each has ``file``, ``line``, ``function``, ``module``, ``source``, ``carets``.
        """
        known = self._read()
        return () if known is None else known.frames

    @property
    def fingerprint(self) -> str:
        """16 hex digits that are equal for what is probably the same fault.

        Made from the exception's type, the innermost frame of the application
        (module and function, no line number), and the message without numbers, ids
        and quoted values; the same in every process.
        """
        known = self._glance()
        return "" if known is None else known.fingerprint

    @property
    def request_line(self) -> str:
        """Method, path, and query as ``[redact] query`` has it; "" if unknown."""
        known = self._glance()
        return "" if known is None else known.request_line

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as values that JSON has.

        ``exception`` holds type, message, notes, frames, and in turn ``cause``,
        ``context`` and ``exceptions``, those of a group.
        """
        known = self._read()
        rest: dict[str, Any] = {} if known is None else known.to_dict()
        return {
            "id": self.id,
            "fingerprint": self.fingerprint,
            "type": self.type,
            "message": self.message,
            "phase": self.phase,
            "duration": self.duration,
            **rest,
        }

    def __repr__(self) -> str:
        return f"Report({self.id!r}, {self.type})"


class Outcome:
    """How an exchange ended.

    ``kind`` is one of:

    * ``"ok"``: answered, and nothing was reported;
    * ``"error"``: an error was reported, the client has a complete answer;
    * ``"aborted"``: the response broke off after its head was out;
    * ``"disconnected"``: the client went away.

    ``status`` is the status line's text, None if none was decided; ``bytes_sent``
    counts the body. ``started`` is seconds since the epoch, ``first_byte`` and
    ``duration`` are seconds from there; ``first_byte`` is None if no head was sent.
    """

    __slots__ = (
        "bytes_sent",
        "duration",
        "first_byte",
        "kind",
        "report_id",
        "started",
        "status",
    )

    def __init__(  # noqa: PLR0913 - a record, every caller names its fields
        self,
        *,
        kind: str,
        status: str | None,
        bytes_sent: int,
        started: float,
        first_byte: float | None,
        duration: float,
        report_id: str | None = None,
    ) -> None:
        self.kind = kind
        self.status = status
        self.bytes_sent = bytes_sent
        self.started = started
        self.first_byte = first_byte
        self.duration = duration
        self.report_id = report_id

    def __repr__(self) -> str:
        return f"Outcome({self.kind!r}, {self.status!r}, {self.bytes_sent})"
