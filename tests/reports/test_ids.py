"""Ids: UUIDs of version 7, without the uuid module."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from handlerkit.reports.ids import new_id


def test_an_id_is_32_hex_digits_in_the_layout_of_uuid_7():
    text = new_id()
    made = uuid.UUID(text)
    assert made.hex == text
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_ids_sort_by_the_time_they_were_made():
    before = time.time_ns() // 1_000_000
    first = new_id()
    after = time.time_ns() // 1_000_000
    assert before <= int(first[:12], 16) <= after
    until = time.time_ns() + 2_000_000
    while time.time_ns() < until:  # the next millisecond but one
        pass
    assert first < new_id()


def test_ids_made_in_one_millisecond_differ():
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_every_random_bit_takes_both_values():
    ids = [int(new_id(), 16) for _ in range(200)]
    fixed = 0xF << 76 | 0b11 << 62
    random = ((1 << 80) - 1) & ~fixed
    seen_one = seen_zero = 0
    for each in ids:
        seen_one |= each
        seen_zero |= ~each
    assert seen_one & random == random
    assert seen_zero & random == random


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_process_makes_ids_of_its_own():
    code = (
        f"import os, sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from handlerkit.reports.ids import new_id\n"
        "new_id()\n"
        "child = os.fork()\n"
        "if child: os.waitpid(child, 0)\n"
        "print(*(new_id() for _ in range(300)), flush=True)\n"
    )
    ids = subprocess.check_output([sys.executable, "-I", "-c", code], text=True).split()
    assert len({each[12:] for each in ids}) == len(ids) == 600
