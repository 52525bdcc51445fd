"""What systemd is told of a service, where it cannot be."""

import os

import pytest

from handlerkit.gateways.notify import READY, notify

resource = pytest.importorskip("resource")


def test_without_a_descriptor_left_it_is_told_nothing(monkeypatch, tmp_path):
    """An error would end the thread that reloads, and the server at its stop."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "socket"))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        with pytest.raises(OSError, match="open files"):
            os.dup(0)
        notify(READY)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
