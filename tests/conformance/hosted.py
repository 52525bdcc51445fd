"""The WSGI callable that engines host: handlerkit, with the suite's config.

Below /validated/, `wsgiref.validate` stands between the engine and handlerkit.
"""

import os
from wsgiref.validate import validator

import handlerkit

plain = handlerkit.wsgi(os.environ["HANDLERKIT_CONFIG"])
watched = validator(plain)


def application(environ, start_response):
    validated = environ.get("PATH_INFO", "").startswith("/validated/")
    return (watched if validated else plain)(environ, start_response)
