"""handlerkit-problem-json keeps the promises of a plugin."""

from handlerkit.testing import PluginConformance


class TestEverywhere(PluginConformance):
    plugin = "handlerkit_problem_json:ProblemJson"


class TestElsewhere(PluginConformance):
    plugin = "handlerkit_problem_json:ProblemJson"
    settings = {"paths": ["/api"]}  # noqa: RUF012 - nobody changes it
