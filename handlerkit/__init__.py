"""handlerkit: the edge of a WSGI application, declared in TOML, extended by plugins."""
