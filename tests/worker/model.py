"""What the outputs must be: the witness says it, from the inputs and the order that the journal tells."""

from __future__ import annotations

from confluent_kafka import Message

from botmeter.contracts.encoding import decode_event
from botmeter.domain.events import Event
from botmeter.verification import report
from botmeter.verification.cluster import Access, VerifiedCluster
from botmeter.verification.findings import Findings
from botmeter.verification.verification import Progress, Verification

from .cluster import Cluster

#: Longer than any transaction timeout of the tests: what is open then hangs.
PATIENCE_S = 60.0


def decode(message: Message) -> Event:
    return decode_event(message.value() or b"")


def looked_at(cluster: Cluster) -> Findings:
    """What the witness finds in all of a cluster, up to what the group has committed."""
    findings = Findings()
    access = Access({}, cluster.bootstrap_servers, cluster.group, cluster.partitions, PATIENCE_S)
    with VerifiedCluster(access, cluster.topics) as read:
        rules = cluster.settings.rules()
        Verification(read, cluster.topics, rules, cluster.partitions, findings).once(Progress())
    return findings


def require_no_difference(findings: Findings) -> None:
    told = "\n".join(line for difference in findings.differences[:3] for line in report.lines(difference))
    assert findings.total == 0, f"{report.verdict(findings)}\n{told}"


def verified(cluster: Cluster) -> Findings:
    """As `looked_at`; nothing may differ."""
    findings = looked_at(cluster)
    require_no_difference(findings)
    return findings


def require_outputs(cluster: Cluster) -> None:
    """The outputs are those of the inputs in the order that the journal tells."""
    verified(cluster)


def require_outputs_of_a_backlog(cluster: Cluster) -> None:
    """As well, the inputs were taken in the order of the broker's time."""
    assert verified(cluster).commands_overtaken == 0
