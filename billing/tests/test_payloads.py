"""Whatever a stranger sends is refused as InvalidPayload or can be stored."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidPayload
from billing.payloads import MAX_DEPTH, clean, parse_object, parse_storable, require_text

# Text as JSON can carry it: NUL and lone surrogates included.
TEXT = st.text(st.characters(exclude_categories=[]), max_size=20)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    with suppress(InvalidPayload):
        assert isinstance(parse_object(body), dict)


@given(st.dictionaries(TEXT, JSON_VALUES, max_size=4))
def test_any_json_object_is_storable_once_cleaned(value: dict[str, Any]) -> None:
    try:
        parsed = parse_object(json.dumps(value))
    except InvalidPayload:
        return
    cleaned = clean(parsed)
    text = json.dumps(cleaned, ensure_ascii=False, allow_nan=False)
    assert "\x00" not in text
    assert "\\u0000" not in text
    text.encode()
    assert clean(cleaned) == cleaned


@given(st.dictionaries(TEXT, JSON_VALUES, max_size=4), st.booleans())
def test_reading_storably_is_reading_and_cleaning(value: dict[str, Any], is_ascii: bool) -> None:
    body = json.dumps(value, ensure_ascii=is_ascii).encode(errors="surrogatepass")
    try:
        expected = clean(parse_object(body))
    except InvalidPayload:
        with pytest.raises(InvalidPayload):
            parse_storable(body)
    else:
        assert repr(parse_storable(body)) == repr(expected)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (b"9223372036854775807", 2**63 - 1),
        (b"9223372036854775808", "9223372036854775808"),
        (b"-9223372036854775808", -(2**63)),
        (b"-9223372036854775809", "-9223372036854775809"),
        (b"1e999", "inf"),
        (b"-1e999", "-inf"),
        (b"1.5", 1.5),
        (b'"\\u0000 \\uD800 \\udfff"', "\ufffd \ufffd \ufffd"),
        (b'"\\u00e9 \\ud83d\\ude00"', "\u00e9 \U0001f600"),
    ],
)
def test_what_no_database_holds_is_replaced_as_it_is_read(sent: bytes, stored: object) -> None:
    assert parse_storable(b'{"a": ' + sent + b"}") == {"a": stored}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"text"',
        b"1",
        b"null",
        b"{",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'\xff\xfe{"a": 1}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"[" * 101 + b"]" * 101 + b"}",
        b'{"a": ' + b"[" * 200_000,
    ],
)
def test_what_no_provider_sends_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidPayload):
        parse_object(body)


def test_nesting_up_to_the_limit_is_read() -> None:
    body = '{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH
    assert parse_object(body)


def test_many_objects_beside_each_other_are_not_nesting() -> None:
    assert parse_object('{"a": [' + ", ".join(["{}"] * 2 * MAX_DEPTH) + "]}")


def test_numbers_stay_numbers_where_a_database_holds_them() -> None:
    assert clean([2**63 - 1, -(2**63), 2**63, True, 1.5, None]) == [
        2**63 - 1,
        -(2**63),
        str(2**63),
        True,
        1.5,
        None,
    ]
    assert clean(float("inf")) == "inf"


@pytest.mark.parametrize("value", ["", None, 7, "x" * 256, "a\x00", "\ud800", ["a"]])
def test_text_that_is_required_must_be_storable(value: object) -> None:
    with pytest.raises(InvalidPayload, match="id"):
        require_text(value, "id")


def test_required_text_is_returned() -> None:
    assert require_text("evt_1", "id") == "evt_1"
