"""A frozen file holds no secret, and references are resolved as ever."""

import pytest

SECRET = "open-sesame-4711"
PLUGIN = """
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr, computed_field

from handlerkit import hookimpl


class Inner(BaseModel):
    token: SecretStr | None = None
    words: tuple[str, ...] = ()


class Settings(BaseModel):
    dsn: str = ""
    pin: SecretStr | None = None
    level: int | None = None
    ratio: float | None = None
    loud: bool | None = None
    short: Annotated[str, Field(min_length=3)] = "abc"
    checked: Annotated[str, AfterValidator(str.upper)] = "ABC"
    inner: Inner = Inner()
    by_name: dict[str, str] = {}
    pins: list[SecretStr] = []
    named: str = Field(default="", alias="other-name")


class Mail:
    Settings = "mail:Settings"

    def __init__(self, settings):
        self.settings = settings

    @hookimpl
    def response_starting(self, headers):
        told = {
            name: getattr(self.settings, name)
            for name in ("dsn", "pin", "level", "ratio", "loud", "by_name", "named")
        }
        told |= {"token": self.settings.inner.token, "words": self.settings.inner.words}
        headers.append(("X-Told", ascii([told, self.settings])))
"""
APP = """
def application(environ, start_response):
    told = []
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
"""


@pytest.fixture
def mail(site):
    site.write("mail.py", PLUGIN)
    site.write("shop.py", APP)

    def configure(settings):
        site.write(
            "handlerkit.toml",
            '[app]\ntarget = "shop:application"\n'
            f'[plugins.mail]\nuse = "mail:Mail"\n{settings}\n',
        )
        return site

    return configure


REFERENCES = [
    'dsn = { env = "MAIL_VALUE" }',
    'pin = { env = "MAIL_VALUE" }',
    'pin = { file = "value" }',
    'inner = { token = { env = "MAIL_VALUE" } }',
    'inner = { words = ["a", { env = "MAIL_VALUE" }] }',
    'by_name = { a = { file = "value" }, b = "c" }',
    'other-name = { env = "MAIL_VALUE" }',
]


def told(site, **variables):
    """Give what the plugin was given, as it says in a header."""
    import subprocess
    import sys

    from tests.freeze.conftest import REQUEST

    program = (
        f"import handlerkit; raise SystemExit(handlerkit.run_cgi({str(site.config)!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=site.environ(**{**REQUEST, **variables}),
        input=b"",
        capture_output=True,
        timeout=100,
        check=False,
    )
    return done.stdout, done.stderr, done.returncode


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_reference_is_frozen_as_one_and_resolved_as_ever(mail, reference):
    site = mail(reference)
    site.write("value", f"{SECRET}\n")
    loaded = told(site, MAIL_VALUE=SECRET)
    text = site.freeze(MAIL_VALUE=SECRET)

    assert SECRET not in text
    assert SECRET.encode() not in b"".join(
        path.read_bytes() for path in site.directory.rglob("*frozen*") if path.is_file()
    )
    assert told(site, MAIL_VALUE=SECRET) == loaded
    assert SECRET.encode() in loaded[0]
    assert b"Settings(" in loaded[0]


@pytest.mark.parametrize(
    ("reference", "values"),
    [
        ('level = { env = "MAIL_VALUE" }', ["5", "-1", "x", "1.5"]),
        ('ratio = { env = "MAIL_VALUE" }', ["5", "1.5", "x", "inf"]),
        ('loud = { env = "MAIL_VALUE" }', ["true", "0", "yes", "5"]),
        ('level = { env = "MAIL_VALUE", default = 7 }', [None, "8"]),
        ('named = { env = "MAIL_VALUE", default = "fine" }', [None, "", "other"]),
    ],
)
def test_a_value_is_made_of_its_text_as_ever(mail, reference, values):
    site = mail(reference.replace("named", "other-name"))
    environs = [{} if value is None else {"MAIL_VALUE": value} for value in values]
    loaded = [told(site, **environ) for environ in environs]
    site.freeze(**environs[0])

    assert [told(site, **environ) for environ in environs] == loaded


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_reference_to_nothing_answers_500_and_says_so(mail, reference):
    site = mail(reference)
    value = site.write("value", SECRET)
    site.freeze(MAIL_VALUE=SECRET)
    value.unlink()

    answer = site.ask()

    assert (answer.status, answer.code) == ("500 Internal Server Error", 1)
    assert "HK207" in answer.log


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (f'pin = "{SECRET}"', "pin"),
        (f'dsn = "{SECRET}"', "dsn"),
        ('other-name = "https://user:opensesame@host/"', "other-name"),
        (f'inner = {{ token = "{SECRET}" }}', "token"),
        (f'by_name = {{ api_key = "{SECRET}" }}', "api_key"),
        (f'by_name = {{ a = "-----BEGIN PRIVATE KEY-----{SECRET}" }}', "a"),
        (f'pins = ["{SECRET}"]', "pins"),
        (f'pins = [{{ env = "UNSET", default = "a" }}, "{SECRET}"]', "1"),
        (f'inner = {{ words = ["a", "Bearer {SECRET}"] }}', "1"),
        (f'dsn = {{ env = "UNSET", default = "{SECRET}" }}', "dsn"),
    ],
)
def test_a_secret_in_the_file_is_refused_by_name(mail, settings, key):
    site = mail(settings)

    said = site.refused()

    assert "HK601" in said
    assert key in said


def test_a_frozen_kit_shows_no_more_of_settings_than_a_loaded_one(mail):
    site = mail('by_name = { token = "excused" }\n[redact]\nallow_keys = ["token"]')
    loaded = told(site)
    site.freeze()

    assert told(site) == loaded
    assert b"by_name=***" in loaded[0]


def test_a_secret_of_the_environment_in_the_file_is_refused(mail):
    site = mail(f'other-name = "by {SECRET}"')

    assert "HK601" in site.refused(DATABASE_PASSWORD=SECRET)


def test_a_name_that_only_sounds_secret_can_be_excused(mail):
    site = mail('by_name = { keynote_token = "hello" }')
    assert "allow_keys" in site.refused()
    site.config.write_text(
        f'{site.config.read_text()}\n[redact]\nallow_keys = ["keynote_token"]\n'
    )

    assert "hello" in site.freeze()


@pytest.mark.parametrize(
    "settings", ['short = { env = "MAIL_VALUE" }', 'checked = { env = "MAIL_VALUE" }']
)
def test_a_reference_with_rules_of_its_own_is_refused(mail, settings):
    site = mail(settings)

    assert "HK602" in site.refused(MAIL_VALUE=SECRET)


def test_a_value_of_the_environment_that_is_in_a_log_is_redacted(site):
    """The rules of the frozen kit know what was resolved, as those of a loaded one."""
    site.write("mail.py", PLUGIN)
    site.write(
        "shop.py", f"def application(*_):\n    raise ValueError('of {SECRET}')\n"
    )
    site.write(
        "handlerkit.toml",
        '[app]\ntarget = "shop:application"\n[plugins.mail]\nuse = "mail:Mail"\n'
        'dsn = { env = "MAIL_VALUE" }\n',
    )
    site.freeze(MAIL_VALUE=SECRET)

    answer = site.ask(MAIL_VALUE=SECRET)

    assert "ValueError" in answer.log
    assert SECRET not in answer.log
