"""Headers: CloudEvents on every output, and what a dead letter carries beside the original."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botmeter.contracts import cloudevents
from botmeter.contracts.cloudevents import (
    DeadLetter,
    OriginalHeaders,
    Place,
    cut_for_dead_letter,
    dead_letter_headers,
    original_headers,
    read_dead_letter,
)
from botmeter.contracts.headers import DeadLetterHeaders, OutputHeaders

AT = 1_795_428_000_000  # 2026-11-23 10:00 UTC


def dead_letter(
    original: OriginalHeaders | None,
    subject: bytes | None = b"acme",
    *,
    reason: str = "malformed",
    is_truncated: bool = False,
) -> OriginalHeaders:
    return dead_letter_headers(
        original,
        subject=subject,
        reason=reason,
        message="the value is not JSON",
        topic="chat.interactions",
        partition=3,
        offset=17,
        at=AT,
        is_truncated=is_truncated,
    )


def as_texts(headers: OriginalHeaders) -> dict[str, str]:
    """By name, the last one counts, as Kafka's clients read them."""
    return {name: value.decode() for name, value in headers if value is not None}


def test_an_output_carries_cloudevents_headers_in_binary_mode() -> None:
    headers = cloudevents.headers("balance", "balance/acme/41", "acme", AT, None)

    assert headers == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"balance/acme/41"),
        ("ce_source", b"/botmeter"),
        ("ce_type", b"botmeter.balance.v1"),
        ("ce_subject", b"acme"),
        ("ce_time", b"2026-11-23T10:00:00.000Z"),
        ("content-type", b"application/json"),
    ]
    OutputHeaders.model_validate(as_texts([*headers]))


def test_a_trace_goes_on() -> None:
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    assert cloudevents.headers("balance", "x", "acme", AT, trace)[-1] == ("traceparent", trace)


def test_a_letter_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not the headers of a dead letter"):
        read_dead_letter([("botmeter_reason", b"malformed")])


def test_a_subject_of_the_originals_is_not_taken_for_ours() -> None:
    assert read_dead_letter(dead_letter([("ce_subject", b"theirs"), ("botmeter_truncated", b"true")], None)) == (
        DeadLetter(
            Place("chat.interactions", 3, 17),
            "malformed",
            "the value is not JSON",
            None,
            is_truncated=False,
            original=[("ce_subject", b"theirs"), ("botmeter_truncated", b"true")],
        )
    )


def test_a_subject_without_a_value_is_none() -> None:
    assert read_dead_letter([*dead_letter([("ce_subject", b"theirs")], None), ("ce_subject", None)]).subject is None


def test_a_dead_letter_keeps_the_original_headers_and_adds_ours() -> None:
    original: OriginalHeaders = [("source", b"web"), ("empty", None), ("source", b"\xff")]

    headers = dead_letter(original)

    assert headers == [
        *original,
        ("botmeter_reason", b"malformed"),
        ("__streams.errors.message", b"the value is not JSON"),
        ("__streams.errors.topic", b"chat.interactions"),
        ("__streams.errors.partition", b"3"),
        ("__streams.errors.offset", b"17"),
        ("ce_specversion", b"1.0"),
        ("ce_id", b"dead-letter/chat.interactions/3/17"),
        ("ce_source", b"/botmeter"),
        ("ce_type", b"botmeter.dead_letter.v1"),
        ("ce_time", b"2026-11-23T10:00:00.000Z"),
        ("ce_subject", b"acme"),
        ("content-type", b"application/octet-stream"),
    ]
    DeadLetterHeaders.model_validate(as_texts(headers[3:]))
    read = read_dead_letter(headers)
    assert read == DeadLetter(
        Place("chat.interactions", 3, 17),
        "malformed",
        "the value is not JSON",
        "acme",
        is_truncated=False,
        original=original,
    )


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"a\x00b", b"a\nb"])
def test_a_key_that_nobody_can_read_is_no_subject(key: bytes | None) -> None:
    assert "ce_subject" not in dict(dead_letter(None, key))


@pytest.mark.parametrize(
    ("reason", "content_type"),
    [
        ("malformed", b"application/octet-stream"),
        ("too_large", b"application/octet-stream"),
        ("invalid", b"application/json"),
        ("wrong_key", b"application/json"),
        ("unknown_account", b"application/json"),
    ],
)
def test_what_could_be_read_as_json_is_called_so(reason: str, content_type: bytes) -> None:
    assert dict(dead_letter(None, reason=reason))["content-type"] == content_type


def test_the_originals_content_type_speaks_for_the_value() -> None:
    headers = dead_letter([("Content-Type", b"application/avro")])

    assert [value for name, value in headers if name.lower() == "content-type"] == [b"application/avro"]


def test_a_cut_value_is_marked() -> None:
    assert ("botmeter_truncated", b"true") in dead_letter(None, is_truncated=True)
    assert "botmeter_truncated" not in dict(dead_letter(None))


def test_half_a_surrogate_pair_in_a_message_does_no_harm() -> None:
    headers = dead_letter_headers(
        None,
        subject=None,
        reason="wrong_key",
        message="the key is \ud800",
        topic="t",
        partition=0,
        offset=0,
        at=0,
        is_truncated=False,
    )

    assert dict(headers)["__streams.errors.message"] == b"the key is ?"


@given(st.lists(st.tuples(st.sampled_from(["a", "ce_id", "botmeter_reason"]), st.none() | st.binary(max_size=3))))
def test_the_original_headers_can_be_had_back(original: OriginalHeaders) -> None:
    assert original_headers(dead_letter(original)) == original
    assert read_dead_letter(dead_letter(original)).original == original


def test_a_record_that_was_no_dead_letter_keeps_all_its_headers() -> None:
    assert original_headers([("source", b"web")]) == [("source", b"web")]


@pytest.mark.parametrize(
    ("value", "kept"),
    [(None, (None, False)), (b"", (b"", False)), (b"abc", (b"abc", False)), (b"abcd", (b"abc", True))],
)
def test_only_a_value_over_the_limit_is_cut(value: bytes | None, kept: tuple[bytes | None, bool]) -> None:
    assert cut_for_dead_letter(value, 3) == kept
