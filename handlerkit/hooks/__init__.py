"""Hooks: what can be customized, and how plugins are found, checked and ordered."""
