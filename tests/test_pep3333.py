"""The vocabulary of PEP 3333: statuses, headers, lengths, the Headers class."""

import wsgiref.handlers
from wsgiref.headers import Headers as Classic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlerkit import pep3333
from handlerkit.errors import ApplicationError, RequestError
from handlerkit.pep3333 import Headers, check_headers, check_status

names = st.sampled_from(["X", "x", "Y-Z", "Content-Length", "content-length"])
# Newer CPython refuses control characters here, ours where the head goes out.
values = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc"]),
    max_size=5,
)
texts = st.one_of(values, st.just(5), st.just(b"x"))
operations = st.lists(
    st.one_of(
        st.tuples(st.just("__setitem__"), names, texts),
        st.tuples(st.just("__delitem__"), names),
        st.tuples(st.just("__getitem__"), names),
        st.tuples(st.just("__contains__"), names),
        st.tuples(st.just("get"), names),
        st.tuples(st.just("get"), names, values),
        st.tuples(st.just("get_all"), names),
        st.tuples(st.just("setdefault"), names, texts),
        st.tuples(st.just("add_header"), names, st.one_of(st.none(), texts)),
        st.sampled_from(
            [("__len__",), ("keys",), ("values",), ("items",), ("__str__",)]
        ),
    ),
    max_size=10,
)
parameters = st.dictionaries(
    st.sampled_from(["filename", "a_b", "name", "value"]),
    st.one_of(st.none(), values, st.just('a "b" \\c')),
    max_size=3,
)


def called(headers, name, /, *arguments, **parameters):
    try:
        return getattr(headers, name)(*arguments, **parameters)
    except AssertionError as exc:
        return str(exc)


@given(
    pairs=st.lists(st.tuples(names, values), max_size=4),
    made=operations,
    extra=parameters,
)
def test_headers_do_what_wsgirefs_do(pairs, made, extra):
    ours, theirs = Headers(pairs), Classic(list(pairs))
    for name, *arguments in made:
        keywords = extra if name == "add_header" else {}

        assert called(ours, name, *arguments, **keywords) == called(
            theirs, name, *arguments, **keywords
        )
    assert bytes(ours) == bytes(theirs)
    assert repr(ours) == repr(theirs)


def test_headers_are_a_copy():
    pairs = [("X", "1")]
    headers = Headers(pairs)
    headers["Y"] = "2"
    headers.items().clear()

    assert pairs == [("X", "1")]
    assert headers.items() == [("X", "1"), ("Y", "2")]


@given(value=st.text(), name=st.text(max_size=3), status=st.text(max_size=5))
def test_nothing_that_is_let_through_splits_a_head(name, value, status):
    status = f"200 {status}"
    try:
        check_status(status)
        check_headers([("X", value), (f"X{name}", "y")])
    except (ApplicationError, AssertionError):
        return
    head = f"{status}\r\n{pep3333.head_lines([('X', value), (f'X{name}', 'y')])}\r\n"
    lines = head.encode("iso-8859-1").splitlines()

    assert lines[0] == status.encode("iso-8859-1")
    assert [line.partition(b":")[0] for line in lines[1:3]] == [
        b"X",
        f"X{name}".encode(),
    ]
    assert lines[3:] == [b""]
    assert b"\0" not in head.encode("iso-8859-1")


@pytest.mark.parametrize(
    "character", [*map(chr, range(32)), "\x7f", "\u0100", "\u2028"]
)
def test_control_characters_and_what_is_not_latin_1_are_refused(character):
    if character != "\t":
        with pytest.raises(ApplicationError):
            check_headers([("X", f"a{character}b")])
        with pytest.raises(ApplicationError):
            check_status(f"200 a{character}b")
    with pytest.raises(ApplicationError):
        check_headers([(f"X{character}", "a")])


@pytest.mark.parametrize("value", ["", "a\tb", "caf\xe9", "\x80\xff", " "])
def test_what_latin_1_can_say_is_let_through(value):
    assert check_headers([("X", value)]) == (0, None)


@pytest.mark.parametrize(
    ("status", "bodiless"),
    [
        ("200 OK", False),
        ("200 ", False),
        ("999 Caf\xe9", False),
        ("100 Continue", True),
        ("199 x", True),
        ("204 No Content", True),
        ("304 Not Modified", True),
        ("205 Reset", False),
    ],
)
def test_a_status_says_whether_it_has_a_body(status, bodiless):
    assert check_status(status) is bodiless


@pytest.mark.parametrize(
    "status", ["000 x", "099 x", "\xb2\xb200 x", "\u0661\u0661\u0661 x"]
)
def test_a_status_is_three_ascii_digits(status):
    with pytest.raises((ApplicationError, AssertionError)):
        check_status(status)


@pytest.mark.parametrize("status", ["", "20", "abc x", "2000 x", "200OK", "200\tOK"])
def test_a_status_is_refused_with_wsgirefs_words(status):
    said = []
    handler = wsgiref.handlers.BaseHandler()
    for check in (check_status, lambda status: handler.start_response(status, [])):
        with pytest.raises(AssertionError) as caught:
            check(status)
        said.append(str(caught.value))

    assert said[0] == said[1]


def test_statuses_and_names_are_remembered_up_to_a_limit():
    for number in range(2000):
        check_status(f"200 {number}")
        check_headers([(f"X-{number}", "a")])

    assert len(pep3333.known_statuses) <= 512
    assert len(pep3333._known_names) <= 512


class Text(str):
    """A str that could say anything when it is formatted."""

    __slots__ = ()


heads = st.lists(
    st.tuples(
        st.sampled_from(["X-Seen", "x-seen", "Date", "Content-Length", "Bad Name"]),
        st.one_of(
            st.sampled_from(["", "a", "b", "5", "caf\xe9", "a\r\nb", "\u2603", 5]),
            st.builds(Text, st.sampled_from(["", "a", "5"])),
        ),
    ).map(lambda pair: pair if pair[1] != "b" else [*pair]),
    max_size=3,
)


def verdict(headers):
    try:
        return check_headers(headers)
    except (AssertionError, ApplicationError) as exc:
        return str(exc)


@given(st.lists(heads, max_size=4))
def test_what_was_checked_before_changes_no_verdict(responses):
    pep3333._known_names.clear()
    remembering = [verdict(headers) for headers in responses]
    anew = []
    for headers in responses:
        pep3333._known_names.clear()
        anew.append(verdict(headers))

    assert remembering == anew


def test_of_a_name_with_many_values_none_is_remembered():
    """A session's cookie does not stay in memory for good."""
    for value in ("one", "two", "two"):
        check_headers([("X-Session", value)])

    assert pep3333._known_names["X-Session"][2] == ""


@pytest.mark.parametrize("name", ["", " X", "X ", "X:", "X\r\n", "caf\xe9", "a b"])
def test_a_name_is_a_token(name):
    with pytest.raises(ApplicationError, match="token"):
        check_headers([(name, "a")])


@pytest.mark.parametrize(
    "pair", [(Text("X"), "a"), ("X", Text("a")), (b"X", "a"), ("X", b"a"), ("X", None)]
)
def test_only_str_itself_is_a_header(pair):
    check_headers([("X", "a")])  # the name is known now

    with pytest.raises(AssertionError, match="must be of type str"):
        check_headers([pair])


@pytest.mark.parametrize(
    "name",
    [
        *("Connection", "keep-alive", "PROXY-AUTHENTICATE", "Proxy-Authorization"),
        *("TE", "Trailers", "Transfer-Encoding", "upgrade"),
    ],
)
def test_hop_by_hop_headers_are_refused(name):
    with pytest.raises(AssertionError, match="Hop-by-hop header"):
        check_headers([(name, "x")])


def test_marks_say_what_a_head_has():
    pairs = [("content-length", "05"), ("DATE", "x"), ("Server", "y"), ("X", "z")]

    assert check_headers(pairs) == (
        pep3333.HAS_LENGTH | pep3333.HAS_DATE | pep3333.HAS_SERVER,
        5,
    )


@pytest.mark.parametrize(
    "value", ["", "x", "-1", "+1", " 1", "1 ", "1,1", "\xb2", "\u0661"]
)
def test_a_length_is_a_row_of_digits(value):
    with pytest.raises(ApplicationError):
        pep3333.parse_content_length(value)
    with pytest.raises(RequestError):
        pep3333.request_length(value)


def test_a_length_is_not_endless():
    with pytest.raises(RequestError):
        pep3333.request_length("9" * 5000)
    assert pep3333.request_length("0" * 600 + "5") == 5


@given(st.integers(0, 4102444800))
def test_dates_are_wsgirefs(timestamp):
    assert pep3333.format_date_time(timestamp) == wsgiref.handlers.format_date_time(
        timestamp
    )
    line = f"Date: {wsgiref.handlers.format_date_time(timestamp)}\r\n"
    assert pep3333.date_line(timestamp + 0.5) == line
    assert pep3333.date_line(timestamp + 0.7) == line
