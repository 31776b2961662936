"""Errors of the client, besides those of the cluster. Each names its recovery."""

from __future__ import annotations

from botmeter.errors import BotmeterError, Retriable


class InvalidMessage(BotmeterError):  # noqa: N818 - named by what is wrong
    """The message violates the contract; nothing was sent. Recovery: correct the fields that the error names."""


class NotDelivered(Retriable):
    """The broker did not acknowledge the record in time.

    It may be in the topic all the same. Recovery: publish it again with the same `event_id` or `command_id`; a
    duplicate changes nothing (`S6`, `C1`).
    """


class NoResult(Retriable):
    """No result came in time; the command may still take effect.

    Recovery: send it again with the same `command_id`: it takes effect at most once, and gets the same answer (`C1`).
    """


class UnreadableRecord(BotmeterError):  # noqa: N818 - named by what is wrong
    """A record of an output topic violates the contract. Recovery: none here; another program writes to the topic."""
