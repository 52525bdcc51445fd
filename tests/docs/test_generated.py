"""The reference is what the code says, and leaves nothing of it out."""

import re

import pytest

import handlerkit
from handlerkit.builtin import BUILTINS
from handlerkit.config import CODES, model
from handlerkit.config.fields import fields
from handlerkit.plan import HOOKS

TABLES = {
    "app": model.AppSettings,
    "handler": model.HandlerSettings,
    "server": model.ServerSettings,
    "proxies": model.ProxySettings,
    "redact": model.RedactSettings,
    "freeze": model.FreezeSettings,
    "hooks.<hook>": model.HookSettings,
    "plugins.<name>": model.PluginEntry,
}


@pytest.fixture
def section(root):
    """Give the text under a heading of a reference page."""

    def find(page, heading):
        text = (root / "docs" / "reference" / page).read_text(encoding="utf-8")
        parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2], strict=True))[heading]

    return find


@pytest.mark.parametrize(
    "page",
    ["hooks.md", "config.md", "cli.md", "errors.md", "error-codes.md", "api.md"],
)
def test_a_page_is_as_the_code_is_now(generate, root, page):
    """Stale? Run: make docs."""
    found = (root / "docs" / "reference" / page).read_text(encoding="utf-8")

    assert found == generate.pages()[page]


@pytest.mark.parametrize("hook", HOOKS.values(), ids=lambda hook: hook.name)
def test_a_hook_is_described_with_its_kind_and_all_its_arguments(section, hook):
    text = section("hooks.md", hook.name)

    assert f"Kind: {hook.kind}." in text
    for argument in hook.arguments:
        assert re.search(rf"\b{argument}: ", text)


@pytest.mark.parametrize(
    ("table", "key"),
    [(table, key) for table, kind in TABLES.items() for key, _ in fields(kind)],
)
def test_a_key_is_described(section, table, key):
    row = rf"^\| `{key}` \| .+ \| .+ \| \S.*\. \|$"

    assert re.search(row, section("config.md", f"`[{table}]`"), flags=re.MULTILINE)


def test_no_table_is_left_out():
    """A table with keys of its own is one of those above."""
    known = {*TABLES, "hooks", "plugins"}

    assert {key for key, _ in fields(model.Config)} <= known


@pytest.mark.parametrize("plugin", BUILTINS)
def test_a_built_in_plugin_is_described(section, plugin):
    assert "Hooks: [`" in section("config.md", f"`[plugins.{plugin}]`")


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_described(generate, code):
    pages = generate.pages()

    assert f"| {CODES[code]} |" in pages["errors.md"]
    assert f"\n### {code}\n" in pages["error-codes.md"]


@pytest.mark.parametrize(
    "command",
    ["serve", "cgi", "check", "show", "plugins", "redact", "why", "trace", "init"],
)
def test_a_command_is_described_with_an_example(section, command):
    text = section("cli.md", f"handlerkit {command}")

    assert f"example: handlerkit {command}" in text


@pytest.mark.parametrize("name", handlerkit.__all__)
def test_a_name_that_the_package_exports_is_described(root, name):
    text = (root / "docs" / "reference" / "api.md").read_text(encoding="utf-8")

    assert re.search(rf"^#+ {name}$|`{name}`", text, flags=re.MULTILINE)
