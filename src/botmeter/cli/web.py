"""`botmeter web`: serves Admin > Billing, page and API."""

from __future__ import annotations

import logging
import secrets
from contextlib import ExitStack

import click
from pydantic import SecretStr

from botmeter.cli.project import source_of
from botmeter.errors import ConfigurationError
from botmeter.kafka.clients import admin_config
from botmeter.kafka.questions import wait_for_broker
from botmeter.operations.permissions import require
from botmeter.operations.rules import require_same_pseudonyms
from botmeter.readside.projection import Progress
from botmeter.settings.model import Settings
from botmeter.settings.page import describe
from botmeter.telemetry.logs import is_json, log_to_stderr
from botmeter.telemetry.serving import Page
from botmeter.telemetry.trace_export import traced
from botmeter.web.access.login import login_link
from botmeter.web.access.own_tokens import LOGIN_LINK_S, OwnTokens
from botmeter.web.access.roles import ROLES, Role
from botmeter.web.app import Parts, make_app
from botmeter.web.metrics import WebMetrics
from botmeter.web.page.routes import PAGE_ROUTERS
from botmeter.web.page.routes.standalone import error_page
from botmeter.web.running import connected
from botmeter.web.server import address_of, listen, public_url, require_secret, serve

log = logging.getLogger("botmeter")

#: A demo's login link stays valid for longer than a demo runs.
_DEMO_LINK_S = 86_400
_USER_OPTIONS = (
    click.option("--as", "subject", required=True, metavar="NAME", help="The user; the journal has this name."),
    click.option("--role", type=click.Choice(ROLES), default="viewer", show_default=True, help="The user's role."),
    click.option("--account", "accounts", multiple=True, metavar="ID", help="An account to see; may be repeated."),
)


@click.group(
    name="web",
    invoke_without_command=True,
    short_help="Serve the billing page and the API.",
    epilog=f"\b\nSettings:\n{describe()}",
)
@click.option("--demo", is_flag=True, help="Make a secret for this run and print a login link for an operator.")
@click.pass_context
def command(ctx: click.Context, demo: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Serve Admin > Billing: the page, and the API under /v1.

    SIGTERM or Ctrl-C finishes the current requests and stops. `botmeter web token` and `botmeter web login-link` give
    access where there is no identity provider.
    """
    if ctx.invoked_subcommand is None:
        _serve(ctx.obj, is_demo=demo)


@command.command("token")
@click.option("--valid-s", type=click.IntRange(min=1), default=3600, show_default=True, help="How long, in seconds.")
@click.pass_obj
def token(settings: Settings, subject: str, role: Role, accounts: tuple[str, ...], valid_s: int) -> None:
    """Print a bearer token for the API, signed with BOTMETER_AUTH_SECRET."""
    _require_accounts(role, accounts)
    if settings.auth_jwks:
        raise ConfigurationError("bearer tokens come from the issuer of BOTMETER_AUTH_JWKS; ask it for one")
    made = _tokens(settings).bearer(
        subject, role, frozenset(accounts), valid_s, settings.auth_audience, settings.auth_issuer
    )
    click.echo(made)


@command.command("login-link")
@click.pass_obj
def link(settings: Settings, subject: str, role: Role, accounts: tuple[str, ...]) -> None:
    """Print a link that logs a person in to the page; it works once, within 10 minutes."""
    _require_accounts(role, accounts)
    if not settings.http_public_url and not settings.http_port:
        raise ConfigurationError("set BOTMETER_HTTP_PUBLIC_URL or _PORT: the link must say where the page is")
    address = settings.http_public_url.rstrip("/") or f"http://{settings.http_host}:{settings.http_port}"
    click.echo(
        login_link(address, _tokens(settings).login_link_token(subject, role, frozenset(accounts), LOGIN_LINK_S))
    )


for option in reversed(_USER_OPTIONS):
    option(token)
    option(link)


def _serve(settings: Settings, *, is_demo: bool) -> None:
    if is_demo:
        settings = settings.model_copy(update={"auth_secret": SecretStr(secrets.token_urlsafe(32))})
    require_secret(settings)
    log_to_stderr(settings.log_level, settings.log_format, "web")
    listening = listen(settings)
    address = public_url(settings, address_of(listening))
    wait_for_broker(admin_config(settings.kafka, settings.bootstrap_servers), settings.broker_timeout_s, log.info)
    require(settings, "web")
    require_same_pseudonyms(settings)
    metrics = None if settings.http_metrics_port < 0 else WebMetrics()
    projects = settings.readside_database().startswith("sqlite")
    on_progress = metrics.projection_callback() if metrics and projects else _ignore_progress
    with ExitStack() as running:
        spans = running.enter_context(traced(settings.traces, "web"))
        provider = None if spans is None else spans.provider
        lifespan = connected(settings, source_of(settings), on_progress, provider)
        parts = Parts(settings, address, lifespan=lifespan, page=PAGE_ROUTERS, error_page=error_page, metrics=metrics)
        app = make_app(parts)
        _print(f"listening at {address}")
        if is_demo:
            made = _tokens(settings).login_link_token("demo", "operator", frozenset(), _DEMO_LINK_S, uses="often")
            _print(f"log in at {login_link(address, made)}")
        if metrics is not None:
            served = Page(metrics.registry, settings.http_metrics_port, "BOTMETER_HTTP_METRICS_PORT")
            log.info("metrics at http://localhost:%d/metrics", running.enter_context(served).port)
        serve(app, listening)


def _ignore_progress(progress: Progress) -> None:
    del progress


def _print(line: str) -> None:
    """Prints a line for the person at the terminal, at any log level."""
    if is_json():
        log.info(line)
    else:
        click.echo(line, err=True)


def _tokens(settings: Settings) -> OwnTokens:
    require_secret(settings)
    return OwnTokens(settings.auth_secret.get_secret_value())


def _require_accounts(role: Role, accounts: tuple[str, ...]) -> None:
    if role != "operator" and not accounts:
        raise click.UsageError(f"a {role} needs at least one --account")
