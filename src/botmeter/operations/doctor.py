"""All checks, one after another; what cannot be asked is a finding too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from botmeter.errors import BotmeterError, ClusterError, PermissionMissing
from botmeter.operations import checks_cluster, checks_work, permissions, rules
from botmeter.operations.checks_work import Asking
from botmeter.operations.findings import Finding

Check = Callable[[Asking], Iterator[Finding]]


def configuration(asking: Asking) -> Iterator[Finding]:
    """The settings, which were read without a fault, as far as they are worth a second look."""
    settings = asking.settings
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


#: In the order in which one fault explains the next ones.
CHECKS: dict[str, Check] = {
    "configuration": configuration,
    "brokers": lambda asking: checks_cluster.brokers(asking.admin, asking.settings),
    "topics": lambda asking: checks_cluster.topics(asking.admin, asking.settings),
    "permissions": lambda asking: permissions.check(asking.admin, asking.program, asking.settings),
    "rules": lambda asking: rules.check(asking.settings, asking.admin),
    "group": checks_work.group,
    "partitions": checks_work.partitions,
    "transactions": checks_work.transactions,
    "journal": checks_work.journal,
    "dead letters": checks_work.dead_letters,
    "clocks": checks_work.clocks,
    "disk": checks_work.disk,
}


def examine(asking: Asking) -> Iterator[Finding]:
    """Every finding, as it is found."""
    for name, check in CHECKS.items():
        try:
            yield from check(asking)
        except PermissionMissing as error:
            named = permissions.named(error, "doctor", asking.settings)
            yield Finding(name, "problem", str(named), "what it says; then look again")
        except ClusterError as error:
            yield Finding(name, "problem", str(error), "what it says; then look again")
        except BotmeterError as error:
            yield Finding(name, "unknown", f"could not be checked: {error}")
