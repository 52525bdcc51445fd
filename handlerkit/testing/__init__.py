"""For the tests of plugins: exchanges in process, that show all of themselves.

`run` makes one exchange, `running` a kit that serves many; `PluginConformance` is a
class of tests to subclass. Nothing here needs pytest but `handlerkit.testing.fixtures`.
"""

from __future__ import annotations

from handlerkit.testing.conformance import PluginConformance
from handlerkit.testing.exchanges import Exchange
from handlerkit.testing.kits import Running, run, running
from handlerkit.testing.recording import Call

__all__ = ["Call", "Exchange", "PluginConformance", "Running", "run", "running"]
