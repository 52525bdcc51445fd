from __future__ import annotations

import sys

import pytest


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A directory on sys.path, as pip fills one; modules from it are forgotten."""
    directory = tmp_path / "site"
    directory.mkdir()
    monkeypatch.syspath_prepend(directory)
    before = set(sys.modules)
    yield directory
    for name in set(sys.modules) - before:
        if str(directory) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


@pytest.fixture
def install(site):
    """Install a distribution by hand: its metadata, entry points and one module."""

    def install(distribution, module, code, **entry_points):
        lines = [f"{name} = {value}" for name, value in entry_points.items()]
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(metadata)
        (info / "entry_points.txt").write_text(
            "\n".join(["[handlerkit.plugins]", *lines, ""])
        )
        (site / f"{module}.py").write_text(code)

    return install
