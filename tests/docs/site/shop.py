"""The application that pages speak of without showing it."""


def application(environ, start_response):
    if environ["PATH_INFO"] == "/fail":
        raise ValueError("the shop was asked to fail")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the shop\n"]


def create_app():
    return application
