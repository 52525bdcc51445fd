"""The kit: configuration, plugins and application, put together and ready to run.

The one place that knows everybody. What it makes knows nobody: a handler class
with plain attributes, a plan of plain callables, an application. Each way of running
imports its own module, and with it only the gateway that it uses.
"""
