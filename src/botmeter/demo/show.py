"""Runs the whole demo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from botmeter.demo.billing import BillingSide
from botmeter.demo.cluster import PARTITIONS, Cluster, running_cluster
from botmeter.demo.model import Model
from botmeter.demo.screen import Screen, make_screen
from botmeter.demo.stage import Stage
from botmeter.demo.story import ACCOUNT_IDS, CHARACTERS, Story
from botmeter.demo.watch import Watch
from botmeter.kafka import clients
from botmeter.simulation.accounts import CLOSED, SimulatedAccount, population
from botmeter.simulation.interruption import Interruption, watched_for_interruption
from botmeter.simulation.publisher import Publisher
from botmeter.simulation.traffic import Mix, Traffic
from botmeter.verification import report
from botmeter.verification.cluster import Access, VerifiedCluster
from botmeter.verification.findings import Findings
from botmeter.verification.verification import Progress, Verification

_ACCOUNTS: Final = 12
_MIX: Final = Mix(new_user_share=0.8)
_DIFFERENCES_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the demo. `seconds` of traffic may be infinite."""

    seconds: float
    rate: float
    seed: int


def run(options: Options) -> bool:
    """Runs the demo; returns whether the verification found no difference. Ctrl-C only ends the traffic.

    Raises KeyboardInterrupt on Ctrl-C at another time, EmbeddedKafkaUnavailable, ProgramEnded, and classified errors of
    the cluster.
    """
    accounts = population(_ACCOUNTS)
    screen = make_screen([*ACCOUNT_IDS, *(account.account_id for account in (*accounts, CLOSED))])
    with running_cluster(screen.print_line) as cluster:
        screen.print_line(f"look at it with any Kafka client: bootstrap servers {cluster.settings.bootstrap_servers}")
        with watched_for_interruption() as interruption:
            screen.print_line(f"the customers' mails and webhooks: {cluster.inbox.url}")
            _introduce(screen)
            _play(cluster, screen, accounts, options, interruption)
            screen.print_line(
                f"Admin > Billing, at {cluster.inbox.billing_url}, ends with the traffic; --keep leaves it open"
            )
            cluster.web.stop()
            cluster.notifier.stop()
            cluster.worker.stop()
            findings = _verified(cluster, interruption)
    screen.print_line("Read back from the beginning of all topics, recomputed apart from the worker:")
    for line in report.figures(findings, cluster.topics):
        screen.print_line(line)
    screen.print_line(report.verdict(findings), "bad" if findings.total else "good")
    for difference in findings.differences[:_DIFFERENCES_SHOWN]:
        for line in report.lines(difference):
            screen.print_line(line, "bad")
    return not findings.total


def _introduce(screen: Screen) -> None:
    screen.print_line("What happens on the page, beside the simulated traffic:")
    for each in CHARACTERS:
        screen.print_line(f"  {each.account_id:<6}  {each.fate}")


def _play(
    cluster: Cluster,
    screen: Screen,
    accounts: tuple[SimulatedAccount, ...],
    options: Options,
    interruption: Interruption,
) -> None:
    topics = cluster.topics
    traffic = Traffic(options.seed, accounts, topics, PARTITIONS, _MIX)
    billing = BillingSide(accounts, topics.commands.name, options.seed)
    story = Story(topics.interactions.name, topics.commands.name, options.seconds)
    model = Model(topics, frozenset(ACCOUNT_IDS))
    publisher = Publisher(clients.simple_producer_config({}, cluster.settings.bootstrap_servers))
    with Watch(cluster.reader_config, model, PARTITIONS) as watch, screen:
        stage = Stage(cluster, watch, model, publisher, screen, interruption)
        try:
            stage.open_accounts(traffic)
            stage.begin_story(story)
            stage.play(traffic, story, billing, options.rate, options.seconds)
            stage.settle()
        finally:
            publisher.close()


def _verified(cluster: Cluster, interruption: Interruption) -> Findings:
    """Verifies the outputs, as `botmeter verify` does."""

    def check_interruption(_: int) -> None:
        if interruption.has_come:
            raise KeyboardInterrupt

    settings, findings = cluster.settings, Findings()
    access = Access({}, settings.bootstrap_servers, settings.group, PARTITIONS, settings.transaction_timeout_ms / 1000)
    with VerifiedCluster(access, cluster.topics) as verified:
        verification = Verification(verified, cluster.topics, settings.rules(), PARTITIONS, findings)
        verification.once(Progress(advance=check_interruption))
    return findings
