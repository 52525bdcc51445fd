"""An address from the command line is held to the rules of the file."""

import pytest

from handlerkit import config
from handlerkit.errors import ConfigError


def test_an_address_is_given_as_the_file_would():
    assert config.address("8123") == "127.0.0.1:8123"


def test_what_is_no_address_is_told():
    with pytest.raises(ConfigError, match=r'HK204.*must be "host:port".*, got "a"'):
        config.address("a")
