"""What a server loads on SIGHUP: the next kit, and what must wait for a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlerkit import config
from handlerkit.carets import headline
from handlerkit.kit.assembly import Running, reload
from handlerkit.kit.code import Code
from handlerkit.kit.describing import review

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from handlerkit.kit.assembly import Kit, Source


class Reloading:
    """Gives the next kit, for `handlerkit.gateways.kits.Kits`.

    Args:
        source: what the first kit was loaded from.
        kit: the first kit.
        given: paths of keys that the process was told otherwise.
        say: is given each warning.
    """

    def __init__(
        self,
        source: Source,
        kit: Kit,
        *,
        given: Collection[tuple[str, ...]],
        say: Callable[[str], object],
    ) -> None:
        self._source = source
        self._started = config.Written(kit.document, kit.config)
        self._given = given
        self._say = say
        self._code = Code()
        self._code.note(kit)

    def __call__(self, kit: Kit) -> Kit:
        """Load the kit that is to take the place of this one.

        Raises:
            ConfigError: with every mistake found.
        """
        new = reload(self._source, Running(kit, self._started, self._given))
        changes = new.document.arrange(self._code.changes(new), "warning")
        for fault in (*review(new), *changes):
            self._say(headline(fault))
        self._code.note(new)
        return new
