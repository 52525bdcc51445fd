#!@python@
"""One request for the application of @config@."""

import sys

import handlerkit

sys.exit(handlerkit.run_cgi("@config@"))
