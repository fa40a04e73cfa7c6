"""Log lines hold no card number, carry the request id, and are one JSON object each."""

import json
import logging
import sys
import uuid
from typing import Any

import pytest

from billing.logs import AddRequestId, JsonFormatter, MaskCardNumbers, request_id

NUMBER = "4242424242424242"


class Unprintable:
    def __str__(self) -> str:
        raise ValueError(NUMBER)

    __repr__ = __str__


def record(msg: Any, *args: Any, exc_info: Any = None, **extra: Any) -> logging.LogRecord:
    return logging.getLogger("test").makeRecord(
        "test", logging.INFO, __file__, 1, msg, args, exc_info, extra=extra
    )


def line(made: logging.LogRecord) -> dict[str, Any]:
    MaskCardNumbers().filter(made)
    AddRequestId().filter(made)
    text = JsonFormatter().format(made)
    assert len(text.splitlines()) == 1
    assert NUMBER not in text
    body: dict[str, Any] = json.loads(text)
    return body


class TestMask:
    def test_message_and_arguments(self) -> None:
        assert line(record(f"card {NUMBER}"))["event"] == "card ************4242"
        assert line(record("card %s of %d", NUMBER, 3))["event"] == "card ************4242 of 3"
        assert line(record("number %d", int(NUMBER)))["event"] == "number ************4242"

    def test_arguments_that_do_not_fit(self) -> None:
        made = record("card %d %d", NUMBER)
        line(made)
        assert NUMBER not in logging.Formatter().format(made)

    def test_traceback(self) -> None:
        try:
            raise ValueError(f"card {NUMBER}")
        except ValueError:
            made = record("failed", exc_info=sys.exc_info())
        body = line(made)
        assert "ValueError: card ************4242" in body["exception"]
        assert NUMBER not in logging.Formatter().format(made)

    def test_extra_fields(self) -> None:
        body = line(
            record(
                "seen",
                card=NUMBER,
                number=int(NUMBER),
                nested={"a": [{"b": NUMBER}], NUMBER: 1},
                other=[1, "2", None, True],
            )
        )
        assert body["card"] == body["number"] == "************4242"
        assert body["nested"]["a"] == [{"b": "************4242"}]
        assert body["other"] == [1, "2", None, True]

    @pytest.mark.parametrize("made", [record(Unprintable()), record("%s", Unprintable())])
    def test_it_never_fails(self, made: logging.LogRecord) -> None:
        assert MaskCardNumbers().filter(made) is True
        assert NUMBER not in JsonFormatter().format(made)

    def test_what_is_harmless_is_left_alone(self) -> None:
        made = record("event %s", "abc", count=3)
        line(made)
        assert (made.msg, made.args, made.__dict__["count"]) == ("event %s", ("abc",), 3)


class TestJson:
    def test_no_message_begins_a_line(self) -> None:
        body = line(record("a\nERROR forged\r\u2028b", name_given="x\ny"))
        assert body["event"] == "a\nERROR forged\r\u2028b"

    def test_objects_by_their_class(self) -> None:
        identity = uuid.uuid4()
        body = line(record("x", identity=identity, thing=object(), nan=float("nan")))
        assert (body["identity"], body["thing"]) == (str(identity), "<object>")
        assert body["nan"] == "nan"
        assert line(record("x", seconds=0.4000056655665556))["seconds"] == 0.4000056655665556
        assert line(record("x", number=float(NUMBER)))["number"] == "************4242"

    def test_an_extra_field_does_not_hide_a_standard_one(self) -> None:
        assert line(record("x", level="fake", event="fake"))["level"] == "INFO"

    def test_request_id(self) -> None:
        token = request_id.set("request-1")
        try:
            assert line(record("x"))["request_id"] == "request-1"
        finally:
            request_id.reset(token)
