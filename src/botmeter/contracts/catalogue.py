"""The catalogue: every message, and everything the program needs to know about it.

Each topic has one row that names its messages. Each message becomes a `Message`: topic, type, id, model, example.
Encoding, decoding, headers and schemas all use the catalogue. So a new message of a topic needs a class (of the domain)
and a model with an example; a new topic also needs its line in `topics.py` and a row here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Protocol, TypeVar, get_args

from botmeter.contracts import cloudevents, decoding, encoding, rules
from botmeter.contracts.cloudevents import Headers, Place
from botmeter.contracts.codec import Codec, message_type
from botmeter.contracts.delivery import Delivery
from botmeter.contracts.topics import Topic, Topics
from botmeter.domain.announcements import Alert, Answer, Balance, Handoff

if TYPE_CHECKING:
    from botmeter.contracts.message_model import Example, MessageModel

    Model = type[MessageModel]

Encode_co = TypeVar("Encode_co", covariant=True)
Decode_co = TypeVar("Decode_co", covariant=True)


class AccountMessage(Protocol):
    """What every message has: its account, and when it took effect."""

    @property
    def account_id(self) -> str:
        """The account, which is also the record's key."""

    @property
    def at(self) -> int:
        """When it took effect, UTC ms."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its topic (a field of `Topics`), its `type` on the wire, its name, id, model, and an example.

    Its `name`, such as `SessionStartedEvent`, is unique. `id` is the template of its `ce_id`; None where a record has
    no CloudEvents headers.
    """

    topic: str
    type: str
    name: str
    id: str | None
    model: Model
    example: Example


@dataclass(frozen=True)
class Channel(Generic[Encode_co, Decode_co]):
    """A row: a topic and its messages."""

    #: A field of `Topics`.
    topic: str
    description: str
    #: Whether botmeter sends or receives the messages.
    actions: tuple[Literal["send", "receive"], ...]
    #: `module:name` of the models, below this package. By name, because they load slowly and only schemas need them.
    models: str
    #: Encodes the program's object as a record's value.
    encode: Encode_co
    #: Decodes a record's value (of a dead letter: its headers) to the program's object.
    decode: Decode_co
    #: For the documents: how readers recognise a repeated message, and how the messages are ordered.
    reading: str
    #: The template of `ce_id`: fields of the message, or topic, partition and offset of the record that caused it.
    id: str | None = None
    #: The record's key.
    key: Literal["account_id", "none"] = "account_id"
    #: Appended to the name of each message, where its `type` also exists on another topic.
    noun: str = ""
    #: The channel whose messages answer those of this one, and the field that matches them.
    reply: str | None = None
    correlated_by: str | None = None

    def topic_of(self, topics: Topics) -> Topic:
        """Returns this topic of an installation."""
        found: Topic = getattr(topics, self.topic)
        return found

    def headers(self, message: AccountMessage, traceparent: bytes | None, came_from: Place | None = None) -> Headers:
        """Returns the record's headers; `traceparent` is that of the record at `came_from`, if it had one."""
        if self.id is None:
            return [] if traceparent is None else [("traceparent", traceparent)]
        id_ = self._id_of(message, came_from)
        return cloudevents.headers(message_type(message), id_, message.account_id, message.at, traceparent)

    @cached_property
    def messages(self) -> Sequence[Message]:
        """Every message of the topic."""
        module, name = self.models.split(":")
        found = getattr(import_module(f"botmeter.contracts.{module}"), name)
        union = get_args(found)
        return [self._message(model) for model in (get_args(union[0]) if union else [found])]

    def _message(self, model: type[MessageModel]) -> Message:
        typed = "type" in model.model_fields
        type_ = get_args(model.model_fields["type"].annotation)[0] if typed else self.topic.removesuffix("s")
        example = {"type": type_, **model.example} if typed else model.example
        name = model.__name__.removesuffix("Message") + self.noun
        return Message(self.topic, type_, name, self.id, model, example)

    @cached_property
    def _id_of(self) -> Callable[[Any, Any], str]:
        template = self.id or ""
        names = re.findall(r"{(\w+)}", template)
        values, pattern = attrgetter(*names), re.sub(r"{\w+}", "%s", template)
        if "offset" in names:
            return lambda _, came_from: pattern % values(came_from)
        return lambda message, _: pattern % values(message)


_ALERTS: Final[Codec[Alert]] = Codec([Alert], "an alert")
_HANDOFFS: Final[Codec[Handoff]] = Codec(get_args(Handoff), "a handoff")
_BALANCES: Final[Codec[Balance]] = Codec([Balance], "a balance")
_ANSWERS: Final[Codec[Answer]] = Codec(get_args(Answer), "an answer to a command")
_DELIVERIES: Final[Codec[Delivery]] = Codec([Delivery], "a delivery")

_KEY: Final = "The header ce_id is the idempotency key: the same message always has the same, no other has it."
_ORDER: Final = "version orders the messages of an account across all topics."
_PARTITION: Final = (
    "The record's key is the account_id in UTF-8, its partition the one that Kafka's default partitioner (murmur2) "
    "gives the key: Java clients do so by themselves, clients on librdkafka with partitioner=murmur2_random."
)

INTERACTIONS: Final = Channel(
    "interactions",
    "Every interaction between end-users and bots.",
    actions=("receive",),
    models="inputs:InteractionMessage",
    encode=decoding.encode_input,
    decode=decoding.decode_interaction,
    reading=f"event_id is the idempotency key: the same interaction again changes nothing. {_PARTITION}",
)
COMMANDS: Final = Channel(
    "commands",
    "Requests of the billing side; each command is answered in the command results.",
    actions=("receive",),
    models="inputs:CommandMessage",
    encode=decoding.encode_input,
    decode=decoding.decode_command,
    reading="command_id is the idempotency key: the same again within 30 days changes nothing and is answered the "
    f"same. {_PARTITION}",
    noun="Command",
    reply="command_results",
    correlated_by="command_id",
)
JOURNAL: Final = Channel(
    "journal",
    "Every change of every account: the source of truth.",
    actions=("send", "receive"),
    models="journal:JournalMessage",
    encode=encoding.encode_event,
    decode=encoding.decode_event,
    reading=f"account_id and version are the idempotency key. {_ORDER}",
    noun="Event",
)
BALANCES: Final = Channel(
    "balances",
    "The latest balance of each account.",
    actions=("send",),
    models="outputs:Balance",
    encode=_BALANCES.encode,
    decode=_BALANCES.decode,
    reading=f"{_KEY} The highest version of an account counts. {_ORDER}",
    id="balance/{account_id}/{version}",
)
ALERTS: Final = Channel(
    "alerts",
    "Thresholds reached and allowances used up, each reported once.",
    actions=("send",),
    models="outputs:AlertMessage",
    encode=_ALERTS.encode,
    decode=_ALERTS.decode,
    reading=f"{_KEY} {_ORDER}",
    id="alert/{account_id}/{version}",
)
HANDOFFS: Final = Channel(
    "handoffs",
    "Chats that go to the agents, and bots that are suspended or resumed.",
    actions=("send",),
    models="outputs:HandoffMessage",
    encode=_HANDOFFS.encode,
    decode=_HANDOFFS.decode,
    reading=f"{_KEY} {_ORDER}",
    id="handoff/{account_id}/{version}",
)
COMMAND_RESULTS: Final = Channel(
    "command_results",
    "The answer to each command.",
    actions=("send",),
    models="outputs:AnswerMessage",
    encode=_ANSWERS.encode,
    decode=_ANSWERS.decode,
    reading=f"{_KEY} command_id says which command is answered; one that comes again is answered again. {_ORDER}",
    id="result/{topic}/{partition}/{offset}",
    correlated_by="command_id",
)
DEAD_LETTERS: Final = Channel(
    "dead_letters",
    "Records that could not be processed: the original key, value and headers, and the reason.",
    actions=("send",),
    models="headers:DeadLetterHeaders",
    encode=cloudevents.dead_letter_headers,
    decode=cloudevents.read_dead_letter,
    reading=_KEY,
    id=cloudevents.DEAD_LETTER_ID,
)
DELIVERIES: Final = Channel(
    "deliveries",
    "What the notifier sent, to whom, and the result.",
    actions=("send",),
    models="outputs:DeliveryMessage",
    encode=_DELIVERIES.encode,
    decode=_DELIVERIES.decode,
    reading=f"{_KEY} at orders the messages of a delivery.",
    id="delivery/{delivery_id}/{attempts}/{state}",
)
SNAPSHOTS: Final = Channel(
    "snapshots",
    "Internal: states of accounts, to restore from.",
    actions=("send", "receive"),
    models="outputs:Snapshot",
    encode=encoding.encode_snapshot,
    decode=encoding.decode_snapshot,
    reading="The highest version of an account counts.",
)
RULES: Final = Channel(
    "rules",
    "The rules in force (prices, limits and other settings that decisions depend on), their changes, and rescues.",
    actions=("send", "receive"),
    models="outputs:RulesMessage",
    encode=rules.encode_rules,
    decode=rules.decode_rules,
    reading="number is the idempotency key, and the order; the last rules_set message counts. All are on partition "
    "0, without a key, and kept for ever.",
    key="none",
)

#: Every topic, in the order of `Topics`.
CHANNELS: Final[Sequence[Channel[Any, Any]]] = (
    INTERACTIONS,
    COMMANDS,
    JOURNAL,
    BALANCES,
    ALERTS,
    HANDOFFS,
    COMMAND_RESULTS,
    DEAD_LETTERS,
    DELIVERIES,
    SNAPSHOTS,
    RULES,
)
