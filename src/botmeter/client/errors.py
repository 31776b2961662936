"""What a caller of the client may meet beside the errors of the cluster, named by what to do about it."""

from __future__ import annotations

from botmeter.errors import BotmeterError, Retriable


class InvalidMessage(BotmeterError):  # noqa: N818 - named by what is wrong
    """The message does not fit the contract; nothing was sent. Recovery: correct it, field by field as it says."""


class NotDelivered(Retriable):
    """The broker did not acknowledge the record in time.

    It may be in the topic all the same. Recovery: publish it again with the same `event_id` or `command_id`; what
    arrives twice changes nothing (`S6`, `C1`).
    """


class NoResult(Retriable):
    """No result came in time; whether the command takes effect is open.

    Recovery: send it again with the same `command_id`: it takes effect at most once, and gets the same answer (`C1`).
    """


class UnreadableRecord(BotmeterError):  # noqa: N818 - named by what is wrong
    """A record of an output topic is not what the contract says. Recovery: none here; somebody else writes there."""
