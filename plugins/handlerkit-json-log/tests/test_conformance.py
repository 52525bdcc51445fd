"""handlerkit-json-log keeps the promises of a plugin, on stderr and to a file."""

import pytest

from handlerkit.testing import PluginConformance


class TestOnStderr(PluginConformance):
    plugin = "handlerkit_json_log:JsonLog"


class TestToAFile(PluginConformance):
    plugin = "handlerkit_json_log:JsonLog"

    @pytest.fixture(autouse=True)
    def file(self, tmp_path):
        self.settings = {"path": str(tmp_path / "errors.jsonl")}
