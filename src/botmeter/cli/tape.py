"""`botmeter replay --from-cluster`: writes a tape of an account from a live system."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from botmeter.cli.account.request import Progress, connected
from botmeter.cli.account.words import count
from botmeter.history.log import AccountLog
from botmeter.history.proof import first_difference
from botmeter.history.pseudonyms import Pseudonyms
from botmeter.history.tape import placed_rules, placed_skips, tape_of
from botmeter.settings.model import Settings


def write_tape(settings: Settings, account_id: str, pseudonym_key: bytes | None) -> None:
    """Writes the tape to the standard output, and a summary to the standard error.

    Exit code 1 when there is no such account, or the tape does not lead to the account's journal.
    """
    topics, pseudonyms = settings.topics(), None if pseudonym_key is None else Pseudonyms(pseudonym_key)
    with AccountLog(connected(settings), account_id, Progress()) as log:
        interactions, commands = log.inputs(settings.group)
        placed = list(log.placed_events())
        partition, events = log.partition, [event for _, event in placed]
        history = log.rules(settings.rules())
    if not events:
        raise click.ClickException(f"there is no account {account_id}")
    rules, skips = placed_rules(history, partition, placed), placed_skips(history, partition, topics)
    lines = tape_of(events, interactions, commands, topics, pseudonyms, rules, skips)
    encoded = [line.encode() for line in lines]
    for line in encoded:
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
    rebuilt = sum(line.is_rebuilt for line in lines)
    click.echo(f"{count(len(lines), 'line')}, {rebuilt:,} of them rebuilt from the journal", err=True)
    wanted = events if pseudonyms is None else [pseudonyms.in_event(event) for event in events]
    rules_of_tape = replace(settings.rules(), pseudonyms=None)
    difference = first_difference(encoded, wanted, topics, rules_of_tape, settings.partitions)
    if difference is not None:
        raise click.ClickException(f"the tape does not lead to the journal: {difference}")
    click.echo(f"it leads to the same {count(len(events), 'event')} as the journal has", err=True)
