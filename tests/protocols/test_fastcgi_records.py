"""FastCGI records as they go out, read back by the rules of the specification."""

import pytest

from handlerkit.protocols import fastcgi_records as records


def parse(wire: bytes) -> list[tuple[int, int, bytes]]:
    """Read records: type, id and content; strictly, and to the last byte."""
    found = []
    while wire:
        version, kind, request_id, length, padding = records.HEADER.unpack(wire[:8])
        assert version == 1
        assert len(wire) >= 8 + length + padding
        found.append((kind, request_id, wire[8 : 8 + length]))
        wire = wire[8 + length + padding :]
    return found


def content(wire: bytes) -> bytes:
    return b"".join(part for kind, _, part in parse(wire) if kind == records.STDOUT)


@pytest.mark.parametrize("request_id", [1, 2, 65535])
@pytest.mark.parametrize("size", [0, 1, 255, 256, 65535, 65536, 65537, 200_000])
def test_a_response_is_its_data_the_end_of_stdout_and_end_request(
    request_id: int, size: int
) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]

    found = parse(records.response(request_id, data))

    assert {number for _, number, _ in found} == {request_id}
    assert found[-2:] == [(6, request_id, b""), (3, request_id, bytes(8))]
    assert all(kind == 6 and part for kind, _, part in found[:-2])
    assert b"".join(part for _, _, part in found) == data + bytes(8)


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 131_071])
def test_a_stream_carries_all_of_its_data_and_does_not_end(size: int) -> None:
    data = b"x" * size

    wire = records.stdout(3, data)

    assert content(wire) == data
    assert all(part for _, _, part in parse(wire))


def test_spans_of_a_file_fit_into_records() -> None:
    spans = list(records.spans(records.STDOUT, 2, 131_075))

    assert [length for _, length in spans] == [65535, 65535, 5]
    assert b"".join(head + bytes(length) for head, length in spans) == records.stdout(
        2, bytes(131_075)
    )


@pytest.mark.parametrize("request_id", [1, 7])
def test_the_end_of_a_request_carries_its_statuses(request_id: int) -> None:
    assert parse(records.end_stdout(request_id, 70000)) == [
        (6, request_id, b""),
        (3, request_id, b"\0\1\x11\x70\0\0\0\0"),
    ]
    assert parse(records.end_request(request_id, records.OVERLOADED)) == [
        (3, request_id, b"\0\0\0\0\2\0\0\0")
    ]


def test_an_unknown_type_is_named() -> None:
    assert parse(records.unknown_type(77)) == [(11, 0, b"\x4d\0\0\0\0\0\0\0")]
