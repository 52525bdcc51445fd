"""The application that HANDLERKIT_CONFIG names, for engines that import one by name.

``gunicorn handlerkit.hosted:application``; without the variable it is the
``handlerkit.toml`` of the working directory.
"""

from __future__ import annotations

import os

from handlerkit.kit.running import wsgi

application = wsgi(os.environ.get("HANDLERKIT_CONFIG", "handlerkit.toml"))
