"""The life of plugins: started in the serving process, closed after the last exchange.

A frozen kit has it, too, so nothing dear is imported here.
"""

from __future__ import annotations

import sys

from handlerkit.errors import PluginError, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    class Living(Protocol):
        """A plugin of a kit; ``found`` says for people what it is."""

        name: str
        found: Any
        plugin: Any
        required: bool


class LifeCycle:
    """Starts and closes plugins; ``inactive`` says of each that is not called, why.

    ``mask`` takes the secrets of the file out of what plugins raise. A plugin that the
    kit ``before`` has, too, as there is only one of a module, is started by the first
    and closed by the last of those that have it.
    """

    loaded: Sequence[Living]

    def __init__(
        self, mask: Callable[[str], str], before: LifeCycle | None = None
    ) -> None:
        self.mask = mask
        # By identity, in how many kits a plugin is started: one dict for all in a row.
        self.holders: dict[int, int] = {} if before is None else before.holders
        self.loaded = []
        self.inactive: dict[str, str] = {}
        self._started: list[Living] = []

    def start(self) -> set[str]:
        """Call each plugin's ``start``, once; give the names of those that failed.

        Raises:
            PluginError: a required plugin did not start; those before it are closed.
        """
        failed: set[str] = set()
        if self._started:
            return failed
        for loaded in list(self.loaded):
            self._started.append(loaded)
            holders = self.holders.get(id(loaded.plugin), 0)
            self.holders[id(loaded.plugin)] = holders + 1
            try:
                start = getattr(loaded.plugin, "start", None)
                if start is not None and not holders:
                    start()
            except (Exception, SystemExit) as exc:
                said = f"{loaded.found} did not start: {named(exc)}"
                said = self.mask(f"[plugins.{loaded.name}]: {said}")
                if loaded.required:
                    self.close()
                    raise PluginError(said) from exc
                self._take_out(loaded, said)
                failed.add(loaded.name)
            except BaseException:
                self.close()
                raise
        return failed

    def _take_out(self, loaded: Living, said: str) -> None:
        self._started.remove(loaded)
        self.loaded = [each for each in self.loaded if each is not loaded]
        self.inactive[loaded.name] = f"failed: {said}"
        _warn(f"{said}; none of its hooks is called")
        self._close(loaded)

    def close(self) -> None:
        """Call each started plugin's ``close``, the last started first."""
        if self._started:
            try:
                self._close(self._started.pop())
            finally:  # an interrupt keeps none from closing
                self.close()

    def _close(self, loaded: Living) -> None:
        holders = self.holders.pop(id(loaded.plugin)) - 1
        if holders:
            self.holders[id(loaded.plugin)] = holders
            return
        try:
            close = getattr(loaded.plugin, "close", None)
            if close is not None:
                close()
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - the others are to be closed too
            _warn(self.mask(f"{loaded.found} did not close: {named(exc)}"))


def _warn(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"handlerkit: {text}\n")
