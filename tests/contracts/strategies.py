"""What may come over the wire and what may leave, for hypothesis."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from botmeter.contracts.instants import is_moment
from botmeter.domain import announcements as an
from botmeter.domain import events as ev
from botmeter.domain.account import Account, Allowance, PastCycle, Terms
from botmeter.domain.commands import CommandResult
from botmeter.domain.cycles import Cycle
from botmeter.domain.events import Event
from botmeter.domain.prices import DAY_MS, Money

#: Moments of the years 1970 to 2200, UTC ms.
moments = st.integers(0, 7_258_118_400_000)
counts = st.integers(1, 10**12)
percents = st.integers(1, 99)
#: Any text that UTF-8 can hold.
texts = st.text(st.characters(codec="utf-8"), max_size=20)
#: Ids as the contract has them.
ids = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30) | st.sampled_from(
    ["x" * 256, "a/1", 'say "hi"', "back\\slash", "ümlaut", "😀", "\u2028", "\ufeff"]
)

# --- Out: events, announcements, accounts ----------------------------------------------------------------------------

_ID_FIELDS: Final = {
    "account_id", "end_user_id", "bot_id", "conversation_id", "event_id", "command_id", "topic", "contacts", "email",
    "name", "delivery_id",
}  # fmt: skip
_PERCENT_FIELDS: Final = {"percent", "percents", "reached", "thresholds"}


def _texts(name: str) -> st.SearchStrategy[str]:
    return ids if name in _ID_FIELDS else texts


def _values(name: str, hint: Any) -> st.SearchStrategy[Any]:
    """What a field of this name and type may hold."""
    if is_moment(name):
        return moments
    if name == "session_id":
        return st.text("0123456789abcdef", min_size=32, max_size=32)
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) is tuple:
        return st.lists(_values(name, get_args(hint)[0]), max_size=4).map(tuple)
    if get_origin(hint) in {Union, UnionType}:
        return st.one_of([_values(name, member) for member in get_args(hint)])
    if hint is str:
        return st.sampled_from(["de", "de-AT", "zh-Hant-TW"]) if name == "locale" else _texts(name)
    if hint is int:
        return percents if name in _PERCENT_FIELDS else counts
    if hint is bool:
        return st.booleans()
    if hint is NoneType:
        return st.none()
    return instances(hint)


def instances(class_: type) -> st.SearchStrategy[Any]:
    """Instances of a dataclass of the domain."""
    hints = get_type_hints(class_)
    return st.builds(class_, **{field.name: _values(field.name, hints[field.name]) for field in fields(class_)})


EVENT_CLASSES: Final = get_args(Event)
events: st.SearchStrategy[Event] = st.one_of([instances(class_) for class_ in EVENT_CLASSES])
_announcing = st.one_of(
    [
        instances(class_)
        for class_ in (
            ev.ThresholdReached,
            ev.SessionsExhausted,
            ev.SessionsAvailable,
            ev.ChatHandedOff,
            ev.AccountClosed,
        )
    ]
)
allowances = st.integers(0, 10**6).flatmap(
    lambda total: st.builds(
        Allowance,
        pool=st.sampled_from(get_args(ev.Pool)),
        total=st.just(total),
        used=st.integers(0, total),
        packs=st.integers(0, 1000),
        packs_next_cycle=st.integers(0, 1000),
        reached=st.lists(percents, max_size=3).map(tuple),
    )
)
accounts: st.SearchStrategy[Account] = st.builds(
    Account,
    account_id=ids,
    version=counts,
    status=st.sampled_from(["active", "exhausted", "closed"]),
    terms=instances(Terms),
    cycle=instances(Cycle),
    allowance=allowances,
    past_cycle=st.none() | instances(PastCycle),
    handled=st.dictionaries(ids, instances(CommandResult), max_size=3),
)
#: With cycles that have a length.
_announcing_accounts = st.builds(
    replace,
    accounts,
    cycle=st.builds(
        lambda number, starts_at, length_ms: Cycle(number, starts_at, starts_at + length_ms),
        counts,
        moments,
        st.integers(1, 400 * DAY_MS),
    ),
)
announcements: st.SearchStrategy[an.Announcement] = (
    st.builds(an.announce, _announcing, _announcing_accounts).filter(bool).flatmap(st.sampled_from)
)
charges = instances(Money)

# --- In: records, sound and otherwise --------------------------------------------------------------------------------

#: Texts that a careless decoder would let pass.
_odd_texts = st.sampled_from(
    [
        "",
        "x" * 257,
        "a\x00b",
        "tab\t",
        "\x7f",
        "\x80",
        "\x9f",
        "\ud800",
        "\udfff",
        "\ud83d\ude00",
        '"',
        "\\",
        "\\u0000",
        "/",
    ]
) | st.text(max_size=5)
_odd_numbers = st.sampled_from([0, 1, -1, 2**64, 10**400, 0.5, 1e300, True, False])
_odd_values = st.recursive(
    st.none() | _odd_numbers | _odd_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_odd_texts, inner, max_size=3),
    max_leaves=5,
)
_offsets = st.sampled_from(["Z", "z", "+00:00", "-00:00", "+05:30", "-23:59", "+24:00", "+0530", "+05", "", " Z"])
_fractions = st.sampled_from(["", ".", ".0", ".5", ".123", ".123456", ".1234567", ".9999999", ",5", ".12345678901"])
_days = st.sampled_from(
    ["2026-11-23", "2024-02-29", "2026-02-29", "2026-13-01", "0000-01-01", "0001-01-01", "9999-12-31", "1969-12-31"]
)
_times = st.sampled_from(["10:00:00", "23:59:59", "00:00:00", "24:00:00", "10:00:60", "10:00", "1:00:00"])
timestamps = st.builds(
    lambda day, between, time, fraction, offset: f"{day}{between}{time}{fraction}{offset}",
    _days,
    st.sampled_from(["T", "t", " ", "_"]),
    _times,
    _fractions,
    _offsets,
)
_good_timestamps = st.sampled_from(
    ["2026-11-23T10:00:00.000Z", "2026-11-23T10:00:00+05:30", "1970-01-01T00:00:00.123456Z"]
)

#: Interactions as the contract has them, some fields left out that may be.
interactions: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "event_id": ids,
        "account_id": ids,
        "end_user_id": ids,
        "conversation_id": ids,
        "widget": st.sampled_from(["conversations", "self_service"]),
        "actor": st.sampled_from(["end_user", "bot", "agent", "system"]),
        "occurred_at": _good_timestamps,
    },
    optional={"bot_id": st.none() | ids, "preview": st.booleans()},
)
_FIELDS: Final = (
    "event_id",
    "account_id",
    "end_user_id",
    "bot_id",
    "conversation_id",
    "widget",
    "actor",
    "preview",
    "occurred_at",
)
_pairs = st.tuples(st.sampled_from(_FIELDS) | _odd_texts, _odd_values) | st.tuples(st.just("occurred_at"), timestamps)


def _written(pairs: list[tuple[str, Any]], *, ascii_only: bool, gap: str) -> bytes:
    """As JSON, key by key, so that a key may come twice; half a surrogate pair is written as it is, if UTF-8 let it."""
    members = f",{gap}".join(
        f"{json.dumps(key, ensure_ascii=ascii_only)}:{gap}{json.dumps(value, ensure_ascii=ascii_only)}"
        for key, value in pairs
    )
    return f"{{{members}}}".encode("utf-8", "surrogatepass")


@st.composite
def interaction_records(draw: st.DrawFn) -> bytes:
    """Records that are interactions, or nearly so: fields missing, changed, added, repeated; bytes out of place."""
    pairs = list(draw(interactions).items())
    for pair in draw(st.lists(_pairs, max_size=2)):
        known = [place for place, (key, _) in enumerate(pairs) if key == pair[0]]
        comes_twice: bool = draw(st.integers(0, 3)) == 0
        if known and not comes_twice:
            pairs[known[0]] = pair
        else:
            pairs.insert(draw(st.integers(0, len(pairs))), pair)
    if not draw(st.integers(0, 5)):
        del pairs[draw(st.integers(0, len(pairs) - 1))]
    value = _written(pairs, ascii_only=draw(st.booleans()), gap=draw(st.sampled_from(["", " ", "\n\t"])))
    if not draw(st.integers(0, 5)):
        place = draw(st.integers(0, len(value)))
        value = value[:place] + draw(st.binary(max_size=2)) + value[place + draw(st.integers(0, 2)) :]
    return value
