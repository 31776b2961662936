"""`botmeter verify`: the witness."""

from __future__ import annotations

import gc
import json
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import click

from botmeter.contracts.instants import millis
from botmeter.kafka import clients, questions
from botmeter.kafka.reader import RestoreStopped as ReadStopped
from botmeter.kafka.topic_setup import require_topics
from botmeter.settings.model import Settings
from botmeter.verification import report
from botmeter.verification.cluster import Access, VerifiedCluster
from botmeter.verification.findings import Difference, Findings
from botmeter.verification.metrics import WitnessMetrics
from botmeter.verification.verification import Progress, Verification

#: This long after a worker's transaction timeout, the broker has ended the transaction unless the transaction hangs.
_HANGING_MARGIN_S: Final = 15
#: The garbage collector would find nothing: states hold no cycles, and there may be millions of them.
_GC_THRESHOLD: Final = 1_000_000

_EPILOG: Final = """\b
Examples:
  botmeter verify                             everything that the inputs still hold
  botmeter verify --since 2026-11-24T00:00    from this moment on, UTC
  botmeter verify --json | jq .kind           differences as JSON, one a line
  botmeter verify --follow --metrics-port 6067
  botmeter verify --follow --from-snapshots   from now on, with a quick start
"""


@click.command(
    name="verify", short_help="Recompute the outputs from the inputs and report every difference.", epilog=_EPILOG
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]),
    metavar="TIME",
    help="Begin with the interactions of that moment, UTC. Default: the first that are still retained.",
)
@click.option("--follow", is_flag=True, help="Keep verifying: continue where the last round ended, until stopped.")
@click.option(
    "--from-snapshots",
    is_flag=True,
    help="With --follow: begin now, with the accounts of the snapshots, instead of folding the whole journal.",
)
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="With --follow: the pause between two rounds.",
)
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="With --follow: serve Prometheus metrics there.")
@click.option("--json", "as_json", is_flag=True, help="Print differences and summary as JSON, one object per line.")
@click.option(
    "--show",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many differences to print; all are counted.",
)
@click.pass_obj
def command(
    settings: Settings,
    since: datetime | None,
    follow: bool,  # noqa: FBT001 - click passes flags by name
    from_snapshots: bool,  # noqa: FBT001
    every: float,
    metrics_port: int | None,
    as_json: bool,  # noqa: FBT001
    show: int,
) -> None:
    """Recompute the outputs from the inputs, and report each difference with its place and both values.

    Every interaction, command and timer event is decided again by the rules alone, in the order that the journal
    records, and compared with journal, balances, alerts, handoffs, command results and dead letters. It reports what is
    missing, duplicate, altered, out of order or unexpected, sessions beyond an allowance, and transactions that do not
    end. It only reads, and workers may run meanwhile: it verifies what the group has committed.

    Inputs are kept for days, the journal for ever: accounts and sessions from before the start are folded from it.
    Memory holds the accounts and the session starts of about three days, of one partition at a time (with --follow: of
    all).

    Prices and limits are those that were in force at the time (botmeter rules show). Topics, group and cluster are
    settings: BOTMETER_BOOTSTRAP_SERVERS, BOTMETER_GROUP, BOTMETER_TOPIC_PREFIX, ...

    Exit code 0: no difference; 1: some.
    """
    if metrics_port is not None and not follow:
        raise click.UsageError("--metrics-port is for --follow")
    if from_snapshots and (not follow or since is not None):
        raise click.UsageError("--from-snapshots is for --follow, and begins now")
    _require_cluster(settings)
    gc.set_threshold(_GC_THRESHOLD, 50, 1000)
    topics = settings.topics()
    findings = Findings(on_difference=_difference_printer(show, as_json=as_json))
    since_ms = None if since is None else millis(since.replace(tzinfo=UTC))
    with VerifiedCluster(_access(settings), topics) as cluster:
        verification = Verification(cluster, topics, settings.rules(), settings.partitions, findings, since_ms)
        if from_snapshots:
            verification.start_from_snapshots(time.time_ns() // 1_000_000, Progress())
        if follow:
            _follow(verification, cluster, findings, every, metrics_port)
        else:
            _once(verification)
    _summarize(findings, settings, as_json=as_json)
    if findings.total:
        raise click.exceptions.Exit(1)


def _access(settings: Settings) -> Access:
    patience_s = settings.transaction_timeout_ms / 1000 + _HANGING_MARGIN_S
    return Access(settings.kafka, settings.bootstrap_servers, settings.group, settings.partitions, patience_s)


def _require_cluster(settings: Settings) -> None:
    config = clients.admin_config(settings.kafka, settings.bootstrap_servers)
    questions.wait_for_broker(config, settings.broker_timeout_s, lambda line: click.echo(f"botmeter: {line}", err=True))
    with clients.make_admin(config) as admin:
        require_topics(admin, settings.topics().all(), settings.partitions)


def _once(verification: Verification) -> None:
    bar = _Bar(sys.stderr.isatty())
    verification.once(Progress(bar.begin, bar.advance))
    bar.end()


def _follow(
    verification: Verification, cluster: VerifiedCluster, findings: Findings, every_s: float, port: int | None
) -> None:
    """Verifies in rounds until SIGTERM or Ctrl-C; the summary and the exit code follow."""
    metrics = WitnessMetrics(findings)
    if port is not None:
        metrics.serve(port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: cluster.stop.set())
    while not cluster.stop.is_set():
        begun, before = time.monotonic(), (findings.interactions, findings.total)
        try:
            verification.round(Progress())
        except ReadStopped:
            return
        metrics.round_s, metrics.round_ended_at = time.monotonic() - begun, time.time()
        taken, differences = findings.interactions - before[0], findings.total - before[1]
        if taken or differences:
            click.echo(
                f"{datetime.now(UTC):%H:%M:%S} {taken:,} interactions in {metrics.round_s:.1f} s, "
                f"{findings.interactions:,} in all, differences: {differences:,}",
                err=True,
            )
        cluster.stop.wait(every_s)


def _difference_printer(show: int, *, as_json: bool) -> Callable[[Difference], None]:
    """Returns a function that prints the first `show` differences as they are found."""
    found = 0

    def print_difference(difference: Difference) -> None:
        nonlocal found
        found += 1
        if found > show:
            return
        if as_json:
            click.echo(json.dumps(difference.as_fields()))
            return
        for line in report.lines(difference):
            click.echo(line)

    return print_difference


def _summarize(findings: Findings, settings: Settings, *, as_json: bool) -> None:
    if as_json:
        counts = [{"topic": topic, "kind": kind, "count": n} for (topic, kind), n in sorted(findings.counts.items())]
        fields = {
            "differences": findings.total,
            "by_kind": counts,
            "interactions": findings.interactions,
            "commands": findings.commands,
            "outcomes": findings.outcomes,
            "confirmed": findings.confirmed,
            "out_of_reach": findings.out_of_reach,
            "commands_overtaken": findings.commands_overtaken,
            "overshoot": findings.overshoot,
            "charged_minor": findings.charged,
            "rescues": [*findings.rescues],
        }
        click.echo(json.dumps({"summary": fields}))
        return
    for line in report.figures(findings, settings.topics()):
        click.echo(line)
    click.echo(report.verdict(findings))


class _Bar:
    """Shows progress on the standard error: a bar on a terminal, else a line every few seconds."""

    _WIDTH: Final = 32

    def __init__(self, is_terminal: bool) -> None:  # noqa: FBT001
        self._is_terminal, self._interval_s = is_terminal, 0.2 if is_terminal else 5.0
        self._what, self._total, self._done = "", 0, 0
        self._begun = self._shown = time.monotonic()

    def begin(self, what: str, total: int) -> None:
        """Starts a new phase."""
        self.end()
        self._what, self._total, self._done = what, total, 0
        self._begun = self._shown = time.monotonic()

    def advance(self, count: int) -> None:
        """Counts `count` more as done."""
        self._done += count
        if time.monotonic() - self._shown >= self._interval_s:
            self._shown = time.monotonic()
            self._show()

    def end(self) -> None:
        """Ends the phase."""
        if self._done:
            self._show()
            if self._is_terminal:
                click.echo(err=True)
        self._done = 0

    def _show(self) -> None:
        share = min(1.0, self._done / max(self._total, 1))
        rate = self._done / max(time.monotonic() - self._begun, 0.001)
        line = f"{self._done:>13,} of {self._total:,} {self._what}  {share:4.0%}  {rate:,.0f}/s"
        if self._is_terminal:
            filled = round(share * self._WIDTH)
            line = f"\r{'█' * filled}{'·' * (self._WIDTH - filled)}{line}"
        click.echo(line, nl=not self._is_terminal, err=True)
