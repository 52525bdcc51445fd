"""The record that a plugin is given."""

import copy
import pickle

import pytest

from handlerkit.config import Record


def test_attributes_are_the_settings():
    assert Record({"level": 3}).level == 3


def test_a_setting_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError):
        Record({}).level  # noqa: B018


def test_it_is_immutable():
    record = Record({"level": 3})

    with pytest.raises(AttributeError, match="settings are immutable"):
        record.level = 4
    with pytest.raises(AttributeError, match="settings are immutable"):
        del record.level
    assert record.level == 3


def test_its_repr_hides_secrets():
    record = Record({"dsn": "hush", "level": 3}, ["dsn"])

    assert repr(record) == "Settings(dsn=***, level=3)"


def test_equal_settings_are_equal():
    assert Record({"a": 1}) == Record({"a": 1}, ["a"])
    assert Record({"a": 1}) != Record({"a": 2})


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))]
)
def test_a_copy_hides_what_the_original_does(duplicate):
    record = duplicate(Record({"dsn": "hush", "l": [1]}, ["dsn"]))

    assert record.dsn == "hush"
    assert repr(record) == "Settings(dsn=***, l=[1])"
