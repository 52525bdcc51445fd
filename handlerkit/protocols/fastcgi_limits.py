"""How much a FastCGI front may send."""

from __future__ import annotations


class Limits:
    """How much a front may send before it is refused; sizes are in bytes.

    Of a request, by a status: ``max_params_size``, all its parameters as they are
    sent (431); ``max_params``, how many (431); ``max_param_name`` and
    ``max_param_value``, one of them, 127 at the least (431); ``max_body`` (413; 0 is
    no limit).

    Of a connection: ``max_requests``, open at one time (END_REQUEST says
    FCGI_OVERLOADED, or FCGI_CANT_MPX_CONN where it is 1); ``max_idle_records``, in a
    row, that bring nothing to any request (the connection ends). ``max_unread``, of
    one body, is where a connection is `full`.
    """

    __slots__ = (
        "max_body",
        "max_idle_records",
        "max_param_name",
        "max_param_value",
        "max_params",
        "max_params_size",
        "max_requests",
        "max_unread",
    )

    def __init__(  # noqa: PLR0913 - one flat table of the configuration
        self,
        *,
        max_params_size: int = 131072,
        max_params: int = 250,
        max_param_name: int = 1024,
        max_param_value: int = 65536,
        max_body: int = 1 << 30,
        max_unread: int = 1 << 18,
        max_requests: int = 16,
        max_idle_records: int = 100,
    ) -> None:
        self.max_params_size = max_params_size
        self.max_params = max_params
        self.max_param_name = max_param_name
        self.max_param_value = max_param_value
        self.max_body = max_body
        self.max_unread = max_unread
        self.max_requests = max_requests
        self.max_idle_records = max_idle_records
