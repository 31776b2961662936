"""The records that the simulation makes."""

from __future__ import annotations

import json
from typing import Final, NamedTuple


class SimulatedRecord(NamedTuple):
    """A record to publish. `partition` is None unless it is wrong on purpose; `kind` is for the statistics."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None
    kind: str


#: The kinds that are no interactions.
COMMAND_KINDS: Final = ("command", "unreadable command")


def command_record(
    topic: str, account_id: str, command_id: str, issued_by: str, fields: dict[str, object]
) -> SimulatedRecord:
    """Returns a command of the billing side; `fields` are its `type` and the fields of that type."""
    who = {"command_id": command_id, "account_id": account_id, "issued_by": issued_by}
    value = json.dumps({"type": fields["type"], **who, **fields}).encode()
    return SimulatedRecord(topic, account_id.encode(), value, None, "command")
