"""What becomes of a FastCGI record, by its type and by where its request stands.

The table is the specification (3.3, 4, 5, 6.2) as one screen;
`handlerkit.protocols.fastcgi` walks it.
"""

from __future__ import annotations

from handlerkit.protocols.fastcgi_records import (
    ABORT_REQUEST,
    BEGIN_REQUEST,
    END_REQUEST,
    GET_VALUES,
    PARAMS,
    STDERR,
    STDIN,
    STDOUT,
)

# Where a request stands: no request has the id, the parameters are on their way, the
# body is, all has come, or it is over: what still comes is dropped.
UNKNOWN, IN_PARAMS, IN_STDIN, COMPLETE, OVER = range(5)

# What is done with a record. One that is not in place here ends the connection.
SKIP = "skip"
BEGIN = "begin"
ABORT = "abort"
ADD_PARAMS = "add params"
END_PARAMS = "end params"
ADD_STDIN = "add stdin"
END_STDIN = "end stdin"
ANSWER_VALUES = "answer values"
ANSWER_TYPE = "answer type"

# What is out of place, by the words for it. The streams of a request do not overlap:
# the specification's own library reads them one after the other, too.
_TWICE = "it is begun while it is open"
_LATE_PARAMS = "PARAMS after their end"
_EARLY_STDIN = "STDIN before the end of PARAMS"
_LATE_STDIN = "STDIN after its end"
_NOT_THEIRS = "a record that only an application sends"
OUT_OF_PLACE = frozenset((_TWICE, _LATE_PARAMS, _EARLY_STDIN, _LATE_STDIN, _NOT_THEIRS))

Row = tuple[str, str, str, str, str]

_EVERYWHERE_SKIPPED: Row = (SKIP, SKIP, SKIP, SKIP, SKIP)
_NOWHERE: Row = (_NOT_THEIRS,) * 5

# By type, for a record with content, and for an empty one: what is done with it where
# the request is UNKNOWN, IN_PARAMS, IN_STDIN, COMPLETE, OVER.
#
# Ids that are no request are passed over (3.3), and so is what came to be sent before
# the front knew that a request is over.
APPLICATION: dict[int, tuple[Row, Row]] = {
    BEGIN_REQUEST: (
        (BEGIN, _TWICE, _TWICE, _TWICE, _TWICE),
        (BEGIN, _TWICE, _TWICE, _TWICE, _TWICE),
    ),
    ABORT_REQUEST: (
        (SKIP, ABORT, ABORT, ABORT, SKIP),
        (SKIP, ABORT, ABORT, ABORT, SKIP),
    ),
    PARAMS: (
        (SKIP, ADD_PARAMS, _LATE_PARAMS, _LATE_PARAMS, SKIP),
        (SKIP, END_PARAMS, _LATE_PARAMS, _LATE_PARAMS, SKIP),
    ),
    STDIN: (
        (SKIP, _EARLY_STDIN, ADD_STDIN, _LATE_STDIN, SKIP),
        (SKIP, _EARLY_STDIN, END_STDIN, SKIP, SKIP),
    ),
    END_REQUEST: (_NOWHERE, _NOWHERE),
    STDOUT: (_NOWHERE, _NOWHERE),
    STDERR: (_NOWHERE, _NOWHERE),
}

# DATA is for the role of a filter, and other types are of no version known.
OTHER_TYPES = (_EVERYWHERE_SKIPPED, _EVERYWHERE_SKIPPED)

# Records of the id 0, by type; they have no request (4).
MANAGEMENT = {GET_VALUES: ANSWER_VALUES}
OTHER_MANAGEMENT = ANSWER_TYPE
