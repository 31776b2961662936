"""Builds a notifier from the settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from botmeter.errors import ConfigurationError
from botmeter.kafka import clients
from botmeter.kafka.subscription import Subscription
from botmeter.kafka.writer import Writer
from botmeter.notify.channels import Channel, EmailChannel, WebhookChannel
from botmeter.notify.database import open_database
from botmeter.notify.directory import Directory
from botmeter.notify.intake import Intake, NoticeIntake
from botmeter.notify.mail import Stationery
from botmeter.notify.metrics import Metrics, now_ms
from botmeter.notify.outbox import Outbox
from botmeter.notify.publisher import Publisher
from botmeter.notify.schedule import RetryPolicy
from botmeter.notify.service import Parts
from botmeter.notify.smtp import MailServer
from botmeter.notify.tracing import TracedChannel, TracedIntake
from botmeter.settings.model import Settings

if TYPE_CHECKING:
    from botmeter.telemetry.spans import Spans

#: Each makes one call at a time; endpoints are few.
_WEBHOOK_SENDERS = 2


def open_outbox(settings: Settings) -> tuple[Engine, Outbox]:
    """Opens the database, upgrades its schema, and returns it with the outbox in it. Raises ConfigurationError."""
    engine = open_database(settings.notify_database_url.get_secret_value(), settings.data_dir / "notify.db")
    return engine, Outbox(engine, _retry_policy(settings), now_ms)


def make_parts(settings: Settings, spans: Spans | None) -> Parts:
    """All parts of a notifier; `spans` records traces, None: no traces.

    Raises ConfigurationError when no channel is configured, or the database cannot be used.
    """
    channels = _channels(settings)
    if not channels:
        raise ConfigurationError(
            "no channel is configured: set BOTMETER_NOTIFY_SMTP_HOST for mails or BOTMETER_NOTIFY_WEBHOOKS"
        )
    engine, outbox = open_outbox(settings)
    endpoints = [url for url, _ in settings.webhooks()]
    topics = settings.topics()
    intake: NoticeIntake = Intake(
        outbox, Directory(engine), topics, endpoints, now_ms, sends_mail=bool(settings.notify_smtp_host)
    )
    if spans is not None:
        intake = TracedIntake(intake, spans, settings.notify_group, now_ms)
        channels = [partial(_traced, make, spans, settings) for make in channels]
    producing = clients.simple_producer_config(settings.kafka, settings.bootstrap_servers)
    return Parts(
        engine=engine,
        outbox=outbox,
        intake=intake,
        subscribe=lambda: Subscription(
            clients.follower_config(
                settings.kafka, settings.bootstrap_servers, settings.notify_group, "botmeter-notifier"
            ),
            _topics_read(settings),
            lambda places: outbox.positions(places, settings.notify_max_age_s * 1000),
        ),
        publisher=Publisher(engine, Writer({**producing, "client.id": "botmeter-notifier"}, topics.deliveries.name)),
        channels=channels,
        metrics=Metrics(engine, now_ms),
    )


def _topics_read(settings: Settings) -> list[str]:
    """The journal is read for contacts of notices that carry none; balances are read for the forecast alone."""
    topics = settings.topics()
    read = [topics.alerts, topics.handoffs, topics.journal, *([topics.balances] if settings.notify_projected else [])]
    return [topic.name for topic in read]


def stationery(settings: Settings) -> Stationery:
    """The parts that all mails share."""
    page = settings.http_public_url.rstrip("/") or f"http://localhost:{settings.http_port}"
    return Stationery(
        sender=settings.notify_mail_from,
        reply_to=settings.notify_reply_to,
        billing_url=settings.notify_billing_url or f"{page}/billing/accounts/{{account_id}}",
        language=settings.notify_locale,
        idempotency_header=settings.notify_idempotency_header,
    )


def mail_server(settings: Settings) -> MailServer:
    """The mail server of the settings."""
    return MailServer(
        host=settings.notify_smtp_host,
        port=settings.notify_smtp_port,
        security=settings.notify_smtp_security,
        user=settings.notify_smtp_user,
        password=settings.notify_smtp_password.get_secret_value(),
        timeout_s=settings.notify_smtp_timeout_s,
    )


def _channels(settings: Settings) -> list[Callable[[], Channel]]:
    channels: list[Callable[[], Channel]] = []
    if settings.notify_smtp_host:
        mail = partial(EmailChannel, mail_server(settings), stationery(settings))
        channels += [mail] * settings.notify_mail_senders
    if endpoints := dict(settings.webhooks()):
        channels += [partial(WebhookChannel, endpoints, settings.notify_webhook_timeout_s)] * _WEBHOOK_SENDERS
    return channels


def _traced(make: Callable[[], Channel], spans: Spans, settings: Settings) -> Channel:
    return TracedChannel(make(), spans, (settings.notify_smtp_host, settings.notify_smtp_port))


def _retry_policy(settings: Settings) -> RetryPolicy:
    return RetryPolicy(
        retry_ms=int(settings.notify_retry_s * 1000),
        retry_max_ms=int(settings.notify_retry_max_s * 1000),
        give_up_ms=int(settings.notify_give_up_s * 1000),
        repeat_ms=int(settings.notify_repeat_s * 1000),
        repeats_max=settings.notify_repeats_max,
        claim_ms=int(settings.notify_claim_s * 1000),
    )
