"""Where connections come in, when accepting has failed."""

from collections import deque
from contextlib import closing
from math import inf

from handlerkit.gateways.entrance import Entrance
from handlerkit.gateways.poller import make_poller


def test_a_respite_ends_in_time_though_there_is_no_room_by_then():
    """Else the server would look again and again whether it is over."""
    log = []
    with closing(make_poller()) as poller:
        entrance = Entrance(
            [],
            poller,
            lambda sock, peer: None,
            room={"a connection"},
            size=1,
            ready=deque(),
            log=log.append,
        )
        entrance.respite = 0.0  # as one that began long ago

        entrance.open_or_shut(stopping=False)

        assert entrance.respite == inf
        entrance.close()
