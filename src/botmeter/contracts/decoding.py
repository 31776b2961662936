"""Decodes records to objects of the domain: interactions by a fast decoder, commands by a slower one.

There are three ways to decode an interaction, each more exact and slower than the one before; all agree. The derived
struct with a few counts proves that a common record is sound. A second decoding proves it for records with extra
fields, escapes or non-ASCII text. The pydantic model decides about all others, and explains errors to people.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, get_args

import msgspec
from msgspec import UNSET
from pydantic import BaseModel, ValidationError

from botmeter.contracts import inputs
from botmeter.contracts.contact import ContactDetails
from botmeter.contracts.derivation import derive
from botmeter.contracts.fields import CONTROL_CHARACTER
from botmeter.contracts.inputs import CommandAddress, InteractionMessage
from botmeter.contracts.instants import millis
from botmeter.contracts.message_model import MessageModel, members, type_of
from botmeter.domain import commands as cmd
from botmeter.domain import contacts
from botmeter.domain.commands import Command
from botmeter.domain.naming import type_name
from botmeter.domain.sessions import Actor, Interaction, Widget
from botmeter.errors import PoisonRecord

#: A record's value may have this many bytes; a larger one is not parsed.
MAX_RECORD_BYTES: Final = 1_048_576
#: Objects and arrays may be nested this deep: far below the limit of any interpreter's stack, so that all agree.
MAX_DEPTH: Final = 64
#: Messages for people are cut here.
MESSAGE_CHARACTERS_MAX: Final = 300
_TYPE_CHARACTERS_MAX: Final = 64

if TYPE_CHECKING:

    class HotInteraction(msgspec.Struct):
        """An interaction as decoded. For type checkers only: fields, limits and defaults come from the model."""

        event_id: str
        account_id: str
        end_user_id: str
        conversation_id: str
        widget: Widget
        actor: Actor
        occurred_at: datetime
        bot_id: str | None
        preview: bool

else:
    HotInteraction = derive("HotInteraction", InteractionMessage, module=__name__, gc=False)

_decode_hot: Final[Callable[[bytes], Any]] = msgspec.json.Decoder(HotInteraction).decode
_decode_fields: Final[Callable[[bytes], dict[str, Any]]] = msgspec.json.Decoder(dict[str, Any]).decode
#: Raised by the fast decoders; the exact one then finds out what is wrong, if anything.
_DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
#: Quotation marks of the required fields, all of them strings: two per key, two per value.
_QUOTES: Final = 4 * sum(field.is_required() for field in InteractionMessage.model_fields.values())


# --- Interactions ----------------------------------------------------------------------------------------------------


def decode_interaction(value: bytes | None) -> HotInteraction:
    """Decodes one interaction.

    Raises PoisonRecord `malformed`, `too_large` or `invalid`, with a message for a person.
    """
    [found] = decode_interactions([value])
    if isinstance(found, PoisonRecord):
        raise found
    return found


def decode_interactions(values: Iterable[bytes | None]) -> list[HotInteraction | PoisonRecord]:
    """Decodes each value to an interaction or its error. The hot loop: it calls no Python function per record."""
    found: list[HotInteraction | PoisonRecord] = []
    for value in values:
        if value is None or len(value) > MAX_RECORD_BYTES:
            found.append(_exact_or_poison(value))
            continue
        try:
            hot = _decode_hot(value)
        except _DECODE_ERRORS:
            found.append(_exact_or_poison(value))
            continue
        quotes = _QUOTES
        bot_id = hot.bot_id
        if bot_id is UNSET:
            hot.bot_id = None
        else:
            quotes += 2 if bot_id is None else 4
        if hot.preview is UNSET:
            hot.preview = False
        else:
            quotes += 2
        # ASCII without backslash and DEL cannot contain a control character, as the decoder refuses raw ones. And if
        # there are exactly the quotation marks of the fields found, no key occurs twice and none is unknown.
        if (
            value.count(b'"') == quotes
            and value.isascii()
            and 0x5C not in value
            and 0x7F not in value
            and 1 < hot.occurred_at.year < 9999
        ) or _is_sound(value, hot):
            found.append(hot)
        else:
            found.append(_exact_or_poison(value))
    return found


def _exact_or_poison(value: bytes | None) -> HotInteraction | PoisonRecord:
    try:
        return _decode_exactly(value)
    except PoisonRecord as poison:
        return poison


def domain_interaction(hot: HotInteraction, occurred_at: int) -> Interaction:
    """Returns the domain's interaction; `occurred_at` is `millis(hot.occurred_at)`, which callers have computed."""
    return Interaction(
        hot.end_user_id, hot.bot_id, hot.conversation_id, hot.widget, hot.actor, hot.preview, occurred_at
    )


def _is_sound(value: bytes, hot: HotInteraction) -> bool:
    """Returns whether a record has no key twice and no control character; False also when this check cannot tell."""
    if not 1 < hot.occurred_at.year < 9999:  # in UTC it may lie outside the calendar
        return False
    try:
        if _quotes_of(_decode_fields(value), MAX_DEPTH) != _quotes_in(value):
            return False
    except _DECODE_ERRORS:
        return False
    ids = (hot.event_id, hot.account_id, hot.end_user_id, hot.conversation_id, hot.bot_id or "")
    return CONTROL_CHARACTER.search("".join(ids)) is None


def _quotes_in(value: bytes) -> int:
    """Counts the quotation marks around strings: all but the escaped ones. Pairs of backslashes escape none."""
    if b"\\" not in value:
        return value.count(b'"')
    return value.count(b'"') - value.replace(b"\\\\", b"").count(b'\\"')


def _quotes_of(value: dict[str, Any] | list[Any], depth_left: int) -> int:
    """Counts the quotation marks of this value as JSON; raises RecursionError when it is nested too deep."""
    if not depth_left:
        raise RecursionError
    quotes, items = (2 * len(value), value.values()) if isinstance(value, dict) else (0, value)
    for item in items:
        if isinstance(item, str):
            quotes += 2
        elif isinstance(item, dict | list):
            quotes += _quotes_of(item, depth_left - 1)
    return quotes


def _decode_exactly(value: bytes | None) -> HotInteraction:
    """Decodes by the contract's model, which explains what is wrong with a record."""
    message = _validated(InteractionMessage, json_object(value))
    return HotInteraction(**{name: getattr(message, name) for name in InteractionMessage.model_fields})


# --- Commands --------------------------------------------------------------------------------------------------------


def decode_command(value: bytes | None) -> tuple[str, Command]:
    """Decodes the account_id and the command; an invalid command is an `InvalidCommand` (`C2`).

    Raises PoisonRecord `malformed`, `too_large` or `invalid` when the value is no JSON object with an account_id and a
    command_id, which an answer needs.
    """
    fields = json_object(value)
    address = _validated(CommandAddress, fields)
    type_ = fields.get("type")
    if not isinstance(type_, str) or type_ not in _COMMANDS:
        expected = ", ".join(_COMMANDS)
        return address.account_id, _invalid(address, fields, f"type: Input should be one of {expected}")
    model, to_domain = _COMMANDS[type_]
    try:
        message = model.model_validate(fields)
    except ValidationError as error:
        return address.account_id, _invalid(address, fields, explained(error))
    return address.account_id, to_domain(message)


def _invalid(address: CommandAddress, fields: dict[str, Any], message: str) -> cmd.InvalidCommand:
    """Returns the invalid command with fields that the journal can hold."""
    try:
        issued_by = inputs.IssuedMessage.model_validate(fields).issued_by
    except ValidationError:
        issued_by = ""
    type_ = fields.get("type")
    readable = "".join(c if c.isprintable() else "\ufffd" for c in type_) if isinstance(type_, str) else ""
    return cmd.InvalidCommand(address.command_id, issued_by, readable[:_TYPE_CHARACTERS_MAX], message)


def _to_domain(class_: Callable[..., Command]) -> Callable[[MessageModel], Command]:
    """Returns a function from a message to the domain's command with the same fields."""

    def to_domain(message: MessageModel) -> Command:
        return class_(**{name: _domain_value(value) for name, value in message if name not in {"type", "account_id"}})

    return to_domain


def _domain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return millis(value)
    if isinstance(value, list):
        return tuple(map(_domain_value, value))
    if isinstance(value, ContactDetails):
        return contacts.ContactDetails(**{name: _domain_value(of_contact) for name, of_contact in value})
    return value


_CLASSES: Final[dict[str, type[Command]]] = {type_name(class_): class_ for class_ in get_args(Command)}
#: Each command by its `type`: its model, and the function to the domain's command.
_COMMANDS: Final = {
    type_of(model): (model, _to_domain(_CLASSES[type_of(model)])) for model in members(inputs.CommandMessage)
}


def encode_input(message: MessageModel) -> bytes:
    """Encodes an interaction or a command, given as its model; fields that are not set are left out."""
    return message.model_dump_json(exclude_unset=True).encode()


# --- JSON, exactly ---------------------------------------------------------------------------------------------------

Model = TypeVar("Model", bound=BaseModel)


def _validated(model: type[Model], fields: dict[str, Any]) -> Model:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise PoisonRecord("invalid", explained(error)) from None


def explained(error: ValidationError) -> str:
    """Describes what is wrong, field by field, without the values, which may contain anything."""
    lines = [
        ": ".join(filter(None, (".".join(map(str, details["loc"])), details["msg"])))
        for details in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return "; ".join(lines)[:MESSAGE_CHARACTERS_MAX]


def json_object(value: bytes | None) -> dict[str, Any]:
    """Parses a JSON object strictly by RFC 8259; each key must occur only once.

    Raises PoisonRecord `malformed` or `too_large`.
    """
    if value is None:
        raise PoisonRecord("malformed", "the record has no value")
    if len(value) > MAX_RECORD_BYTES:
        raise PoisonRecord("too_large", f"the value has {len(value)} bytes, at most {MAX_RECORD_BYTES} are allowed")
    try:
        parsed = json.loads(
            value.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_no_constant, parse_int=_integer
        )
    except UnicodeDecodeError as error:
        raise PoisonRecord("malformed", f"the value is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise PoisonRecord("malformed", f"the value is not JSON: {error}"[:MESSAGE_CHARACTERS_MAX]) from None
    except RecursionError:
        raise PoisonRecord("malformed", _TOO_DEEP) from None
    if not isinstance(parsed, dict):
        raise PoisonRecord("malformed", "the value is not a JSON object")
    try:
        _quotes_of(parsed, MAX_DEPTH)
    except RecursionError:
        raise PoisonRecord("malformed", _TOO_DEEP) from None
    return parsed


_TOO_DEEP: Final = f"the JSON is nested more than {MAX_DEPTH} levels deep"


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise PoisonRecord("malformed", f"the key {key!a:.100} occurs more than once")
        seen.add(key)
    return found


def _no_constant(name: str) -> NoReturn:
    raise PoisonRecord("malformed", f"the value is not JSON: {name} is no JSON number")


def _integer(digits: str) -> int | float:
    """Converts an integer; one that is too long for any field becomes a float, which is cheap with many digits."""
    return int(digits) if len(digits) <= 20 else float(digits)
