"""A plugin that notes how each exchange ended, and fails where a case asks for it."""

from handlerkit import hookimpl
from tests.conformance.app import note


class Witness:
    @hookimpl
    def request_finished(self, handler, outcome):
        note(handler.environ, "outcome", outcome.kind)

    @hookimpl
    def log_exception(self, handler):
        if "break=log" in handler.environ["QUERY_STRING"]:
            raise RuntimeError("a reporter that fails")

    @hookimpl
    def error_output(self, environ):
        if "break=page" in environ["QUERY_STRING"]:
            raise RuntimeError("a page that fails")
