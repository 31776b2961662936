"""Runs all checks, one after another; a check that fails is a finding too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from botmeter.errors import BotmeterError, ClusterError, PermissionMissing
from botmeter.operations import checks_cluster, checks_work, permissions, rules
from botmeter.operations.checks_work import CheckContext
from botmeter.operations.findings import Finding

Check = Callable[[CheckContext], Iterator[Finding]]


def configuration(context: CheckContext) -> Iterator[Finding]:
    """Reports valid settings, with a warning for a risky one."""
    settings = context.settings
    security = settings.kafka.get("security.protocol", "plaintext").lower()
    yield Finding(
        "configuration",
        "ok",
        f"{settings.bootstrap_servers}, group {settings.group}, {settings.partitions} partitions, {security}",
    )
    if settings.late_limit_s > 6 * 86_400:
        yield Finding(
            "configuration",
            "warning",
            f"BOTMETER_LATE_LIMIT_S is {settings.late_limit_s}, nearly as long as the topic keeps interactions",
            "keep it well below the retention of the interactions (7 days)",
        )


#: Ordered so that a fault comes before those that it causes.
CHECKS: dict[str, Check] = {
    "configuration": configuration,
    "brokers": lambda context: checks_cluster.brokers(context.admin, context.settings),
    "topics": lambda context: checks_cluster.topics(context.admin, context.settings),
    "permissions": lambda context: permissions.check(context.admin, context.program, context.settings),
    "rules": lambda context: rules.check(context.settings, context.admin),
    "group": checks_work.group,
    "partitions": checks_work.partitions,
    "transactions": checks_work.transactions,
    "journal": checks_work.journal,
    "dead letters": checks_work.dead_letters,
    "clocks": checks_work.clocks,
    "disk": checks_work.disk,
}


def examine(context: CheckContext) -> Iterator[Finding]:
    """Yields the findings of all checks as they are made."""
    for name, check in CHECKS.items():
        try:
            yield from check(context)
        except PermissionMissing as error:
            named = permissions.named(error, "doctor", context.settings)
            yield Finding(name, "problem", str(named), "fix it, then run the doctor again")
        except ClusterError as error:
            yield Finding(name, "problem", str(error), "fix it, then run the doctor again")
        except BotmeterError as error:
            yield Finding(name, "unknown", f"could not be checked: {error}")
