"""A dead letter holds the record as it came, as far as its topic has room."""

from __future__ import annotations

import pytest

from botmeter.contracts.topics import Topics
from botmeter.errors import PoisonRecord
from botmeter.metering.dead_letters import KEY_MAX_BYTES, RECORD_MAX_BYTES, VALUE_MAX_BYTES, dead_letter
from botmeter.metering.records import Header, Output
from botmeter.replay.tape import TapeRecord

TOPICS = Topics.named()
ROOM_BYTES = int(TOPICS.dead_letters.config["max.message.bytes"])
MEBIBYTE = 1_048_576


def letter(key: bytes | None, value: bytes | None, headers: list[Header]) -> Output:
    record = TapeRecord(TOPICS.interactions.name, 3, 17, key, value, 1_000, headers)
    return dead_letter(TOPICS.dead_letters.name, record, PoisonRecord("malformed", "the value is not JSON"))


def size(output: Output) -> int:
    headers = sum(len(name.encode()) + len(value or b"") + 10 for name, value in output.headers)
    return len(output.key or b"") + len(output.value or b"") + headers


def test_what_fits_is_kept_whole() -> None:
    headers: list[Header] = [("a", None), ("b", b"x" * 2 * MEBIBYTE), ("a", b"")]
    output = letter(b"acme", b"y" * VALUE_MAX_BYTES, headers)

    assert (output.key, output.value, output.headers[:3]) == (b"acme", b"y" * VALUE_MAX_BYTES, headers)
    assert "botmeter_truncated" not in dict(output.headers)
    assert dict(output.headers)["ce_subject"] == b"acme"
    assert size(output) < ROOM_BYTES


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        pytest.param(b"acme", b"v" * (VALUE_MAX_BYTES + 1), [], id="value"),
        pytest.param(b"k" * (KEY_MAX_BYTES + 1), None, [], id="key"),
        pytest.param(b"acme", b"v", [("h", b"x" * 8 * MEBIBYTE)], id="one header"),
        pytest.param(b"acme", b"v", [(f"h-{n}", b"") for n in range(400_000)], id="many headers"),
        pytest.param(b"acme", b"v", [("n" * 8 * MEBIBYTE, b"")], id="a header's name"),
        pytest.param(b"k" * MEBIBYTE * 2, b"v" * MEBIBYTE * 2, [("h", b"x" * MEBIBYTE)] * 2, id="all"),
    ],
)
def test_what_does_not_fit_is_cut_and_marked(key: bytes, value: bytes | None, headers: list[Header]) -> None:
    output = letter(key, value, headers)

    assert size(output) < ROOM_BYTES
    assert dict(output.headers)["botmeter_truncated"] == b"true"
    assert dict(output.headers)["botmeter_reason"] == b"malformed"


def test_headers_are_kept_in_order_up_to_the_first_that_does_not_fit() -> None:
    output = letter(b"acme", b"v", [("a", b"1"), ("b", b"x" * 8 * MEBIBYTE), ("c", b"2")])

    assert [name for name, _ in output.headers][:2] == ["a", "botmeter_reason"]


def test_headers_are_kept_to_the_last_byte_that_there_is_room_for() -> None:
    room = RECORD_MAX_BYTES - len(b"acme") - len(b"value") - 2 * (len("a") + 10)
    whole = letter(b"acme", b"value", [("a", None), ("a", b"x" * room)])
    cut = letter(b"acme", b"value", [("a", None), ("a", b"x" * (room + 1))])

    assert [len(value or b"") for name, value in whole.headers if name == "a"] == [0, room]
    assert [value for name, value in cut.headers if name == "a"] == [None]


def test_where_and_when_the_record_lay_is_told() -> None:
    headers = dict(letter(b"acme", b"v", []).headers)

    assert headers["ce_time"] == b"1970-01-01T00:00:01.000Z"
    assert headers["ce_id"] == f"dead-letter/{TOPICS.interactions.name}/3/17".encode()
    assert headers["__streams.errors.message"] == b"the value is not JSON"


def test_a_key_longer_than_any_account_id_is_no_subject() -> None:
    assert "ce_subject" in dict(letter(b"k" * 1024, None, []).headers)
    assert "ce_subject" not in dict(letter(b"k" * 1025, None, []).headers)


def test_the_subject_is_the_account_id_also_under_a_wrong_key() -> None:
    record = TapeRecord(TOPICS.interactions.name, 3, 17, b"globex", b"{}", 1_000, [])
    output = dead_letter(TOPICS.dead_letters.name, record, PoisonRecord("wrong_key", "another", account_id="acme"))

    assert dict(output.headers)["ce_subject"] == b"acme"
