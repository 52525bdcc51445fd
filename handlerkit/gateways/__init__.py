"""Gateways: each meets the operating system in its way, and feeds handlers."""
