"""Load the configuration in argv, and run one real exchange with it: GET /."""

import io
import sys
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import handlerkit
from handlerkit import config


def shop(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the shop\n"]


def main():
    tables = config.read(sys.argv[1]).raw
    app = None if tables.get("app", {}).get("target") else shop
    kit = handlerkit.load(sys.argv[1], app)
    kit.start()
    environ = {"REMOTE_ADDR": "127.0.0.1"}
    setup_testing_defaults(environ)
    out = io.BytesIO()
    if issubclass(kit.handler_class, handlerkit.CGIHandler):
        handler = kit.handler()  # takes the process's own
    elif issubclass(kit.handler_class, handlerkit.HostedHandler):
        handler = kit.handler(environ, lambda *_: out.write)
    else:
        handler = kit.handler(io.BytesIO(), out, sys.stderr, environ)
    handler.run(validator(kit.application))
    kit.close()
    if handler.ended != "ok":
        sys.exit(f"the exchange ended: {handler.ended}\n{out.getvalue()}")


if __name__ == "__main__":
    main()
