"""What a bad interaction gets: a dead letter with a reason for programs and words for a person."""

from __future__ import annotations

import json
from typing import Any

import pytest

from botmeter.contracts import catalogue
from botmeter.contracts.decoding import MAX_DEPTH, MAX_RECORD_BYTES, MESSAGE_CHARACTERS_MAX, decode_interaction
from botmeter.errors import PoisonRecord

INTERACTION = catalogue.INTERACTIONS.messages[0].example

SOUND = json.dumps(INTERACTION).encode()


def with_field(name: str, value: Any) -> bytes:
    return json.dumps({**INTERACTION, name: value}).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in INTERACTION.items() if key != name}).encode()


def with_first(extra: bytes) -> bytes:
    return SOUND.replace(b"{", b"{" + extra + b", ", 1)


def nested(levels: int) -> bytes:
    return with_first(b'"more": ' + b"[" * levels + b"]" * levels)


MALFORMED = {
    "null value": (None, "the record has no value"),
    "empty": (b"", "not JSON"),
    "not JSON": (b"hello", "not JSON"),
    "cut off": (SOUND[:-1], "not JSON"),
    "something after it": (SOUND + b"x", "not JSON"),
    "comma at the end": (SOUND.replace(b"}", b",}"), "not JSON"),
    "byte order mark": (b"\xef\xbb\xbf" + SOUND, "not JSON"),
    "UTF-16": (SOUND.decode().encode("utf-16-le"), "not JSON"),
    "array": (b"[" + SOUND + b"]", "not a JSON object"),
    "JSON null": (b"null", "not a JSON object"),
    "string": (b'"hello"', "not a JSON object"),
    "invalid UTF-8 in an id": (SOUND.replace(b"u-1", b"\xff"), "not UTF-8 at byte"),
    "invalid UTF-8 in a field nobody knows": (with_first(b'"text": "\xff"'), "not UTF-8 at byte"),
    "invalid UTF-8 in a key nobody knows": (with_first(b'"\xc3": 1'), "not UTF-8 at byte"),
    "half a surrogate pair in UTF-8": (SOUND.replace(b"u-1", b"\xed\xa0\x80"), "not UTF-8 at byte"),
    "overlong UTF-8": (SOUND.replace(b"u-1", b"\xc0\xaf"), "not UTF-8 at byte"),
    "NaN": (SOUND.replace(b"false", b"NaN"), "NaN is no JSON number"),
    "NaN in a field nobody knows": (with_first(b'"rate": NaN'), "NaN is no JSON number"),
    "Infinity": (with_first(b'"rate": -Infinity'), "-Infinity is no JSON number"),
    "key twice": (with_first(b'"event_id": "e-1"'), "'event_id' occurs more than once"),
    "key twice, once escaped": (with_first(b'"\\u0065vent_id": "e-1"'), "'event_id' occurs more than once"),
    "optional key twice": (with_first(b'"preview": false'), "'preview' occurs more than once"),
    "null key twice": (
        with_field("bot_id", None).replace(b"{", b'{"bot_id": null, '),
        "'bot_id' occurs more than once",
    ),
    "key twice after a hundred thousand others": (
        b"{" + b",".join(b'"%d":0' % number for number in range(100_000)) + b',"99999":1}',
        "'99999' occurs more than once",
    ),
    "key twice amid backslashes": (
        with_first(rb'"a": "\\", "b": "\\", "preview": false'),
        "'preview' occurs more than once",
    ),
    "key twice amid escaped quotation marks": (with_first(rb'"a": "\"\"", "preview": false'), "'preview' occurs more"),
    "unknown key twice": (with_first(b'"a": 1, "a": 2'), "'a' occurs more than once"),
    "inner key twice": (with_first(b'"more": {"a": 1, "a": 2}'), "'a' occurs more than once"),
    "nested too deep": (nested(MAX_DEPTH), f"more than {MAX_DEPTH} levels deep"),
    "nested far too deep": (nested(100_000), f"more than {MAX_DEPTH} levels deep"),
    "nothing but nesting": (b"[" * 500_000, f"more than {MAX_DEPTH} levels deep"),
    "raw control character": (SOUND.replace(b"u-1", b"u\n1"), "not JSON"),
}

INVALID = {
    **{
        f"no {name}": (without(name), f"{name}: Field required")
        for name in INTERACTION
        if name not in {"bot_id", "preview"}
    },
    **{f"null {name}": (with_field(name, None), f"{name}: ") for name in INTERACTION if name != "bot_id"},
    **{f"number {name}": (with_field(name, 1), f"{name}: ") for name in INTERACTION},
    **{f"list {name}": (with_field(name, []), f"{name}: ") for name in INTERACTION},
    "empty object": (b"{}", "account_id: Field required"),
    "unknown widget": (with_field("widget", "fax"), "widget: Input should be 'conversations' or 'self_service'"),
    "unknown actor": (with_field("actor", "End_User"), "actor: Input should be 'end_user', 'bot', 'agent' or 'system'"),
    "empty id": (with_field("end_user_id", ""), "end_user_id: String should have at least 1 character"),
    "empty bot id": (with_field("bot_id", ""), "bot_id: String should have at least 1 character"),
    "300 characters": (with_field("account_id", "a" * 300), "account_id: String should have at most 256 characters"),
    "257 emoji": (with_field("account_id", "😀" * 257), "account_id: String should have at most 256 characters"),
    "escaped NUL": (with_field("event_id", "a\x00b"), "event_id: String should have no control characters"),
    "escaped tab in bot_id": (with_field("bot_id", "\t"), "bot_id: String should have no control characters"),
    "raw DEL": (SOUND.replace(b"u-1", b"\x7f"), "end_user_id: String should have no control characters"),
    "escaped DEL": (SOUND.replace(b"u-1", b"\\u007f"), "end_user_id: String should have no control characters"),
    "raw C1": (SOUND.replace(b"c-1", b"\xc2\x85"), "conversation_id: String should have no control characters"),
    "escaped C1": (SOUND.replace(b"c-1", b"\\u0085"), "conversation_id: String should have no control characters"),
    "half a surrogate pair": (with_field("event_id", "\ud800"), "event_id: Input should be a valid string"),
    "preview in words": (with_field("preview", "false"), "preview: Input should be a valid boolean"),
    "no offset": (with_field("occurred_at", "2026-11-23T10:00:00.000"), "occurred_at: Input should be an RFC 3339"),
    "a date alone": (with_field("occurred_at", "2026-11-23"), "occurred_at: Input should be an RFC 3339"),
    "no such day": (with_field("occurred_at", "2026-02-30T10:00:00Z"), "occurred_at: Input should be an RFC 3339"),
    "no such hour": (with_field("occurred_at", "2026-11-23T25:00:00Z"), "occurred_at: Input should be an RFC 3339"),
    "year 0": (with_field("occurred_at", "0000-01-01T00:00:00Z"), "occurred_at: Input should be an RFC 3339"),
    "year 12026": (with_field("occurred_at", "12026-11-23T10:00:00Z"), "occurred_at: Input should be an RFC 3339"),
    "before the calendar": (with_field("occurred_at", "0001-01-01T00:00:00+10:00"), "occurred_at: Input should be"),
    "after the calendar": (with_field("occurred_at", "9999-12-31T23:59:59-10:00"), "occurred_at: Input should be"),
    "seconds since 1970": (with_field("occurred_at", 1_795_428_000), "occurred_at: Input should be an RFC 3339"),
    "words for a date": (with_field("occurred_at", "tomorrow"), "occurred_at: Input should be an RFC 3339"),
}

TOO_LARGE = {
    "2 MB of an interaction": with_field("text", "x" * 2_000_000),
    "2 MB of anything": b"x" * 2_000_000,
    "a byte too many": SOUND + b" " * (MAX_RECORD_BYTES - len(SOUND) + 1),
}


@pytest.mark.parametrize(("value", "words"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_one_json_object_is_malformed(value: bytes | None, words: str) -> None:
    with pytest.raises(PoisonRecord) as raised:
        decode_interaction(value)

    assert raised.value.reason == "malformed"
    assert words in str(raised.value)


@pytest.mark.parametrize(("value", "words"), INVALID.values(), ids=INVALID)
def test_what_does_not_fit_the_contract_is_invalid(value: bytes, words: str) -> None:
    with pytest.raises(PoisonRecord) as raised:
        decode_interaction(value)

    assert raised.value.reason == "invalid"
    assert words in str(raised.value)


@pytest.mark.parametrize("value", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_value_over_the_limit_is_too_large(value: bytes) -> None:
    with pytest.raises(PoisonRecord) as raised:
        decode_interaction(value)

    assert raised.value.reason == "too_large"
    assert str(raised.value) == f"the value has {len(value)} bytes, at most 1048576 are allowed"


@pytest.mark.parametrize(
    "value",
    [
        b'{"' + b"k" * 5000 + b'": 1, "' + b"k" * 5000 + b'": 2}',
        json.dumps(dict.fromkeys(INTERACTION, "secret" * 5000)).encode(),
        b"{}",
    ],
)
def test_messages_are_short_and_never_quote_values(value: bytes) -> None:
    with pytest.raises(PoisonRecord) as raised:
        decode_interaction(value)

    assert len(str(raised.value)) <= MESSAGE_CHARACTERS_MAX
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(SOUND + b" " * (MAX_RECORD_BYTES - len(SOUND)), id="as large as may be"),
        pytest.param(nested(MAX_DEPTH - 1), id="nested as deep as may be"),
        pytest.param(with_first(b'"text": "\\ud800"'), id="half a surrogate pair where nobody looks"),
        pytest.param(with_first(b'"number": ' + b"9" * 5000), id="an endless number where nobody looks"),
        pytest.param(with_first(b'"text": "a\\tb \x7f \\" \\\\"'), id="control characters where nobody looks"),
        pytest.param(with_field("bot_id", "b" * 256), id="256 characters"),
        pytest.param(with_field("end_user_id", "😀" * 256), id="256 emoji"),
        pytest.param(with_field("end_user_id", "a\u2028b\u200b"), id="odd but no control characters"),
    ],
)
def test_what_only_looks_bad_is_taken(value: bytes) -> None:
    hot = decode_interaction(value)

    assert hot.account_id == "acme"
