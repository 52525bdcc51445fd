"""An application, handlers and broken things for the cases."""

import handlerkit


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the shop"]


def create_application():
    raise RuntimeError("no database")


class Handler(handlerkit.CGIHandler):
    pass


class Headers:
    def __init__(self, headers):
        raise RuntimeError("no headers")
