"""Progress as lines of plain text, for output that is no terminal."""

from __future__ import annotations

from collections.abc import Iterator

from botmeter.demo.model import Model, clock, in_order, percentile


def new_lines(model: Model, seen: int) -> Iterator[str]:
    """Yields alerts, suspensions and purchases after the first `seen` of them."""
    new = list(model.alerts)[seen - model.alert_lines :] if model.alert_lines > seen else []
    for line in in_order(new):
        yield f"        {clock(line.at)} {line.account_id}: {line.text}"


def figures(model: Model) -> str:
    """Returns all figures in one line."""
    sent, metered = model.rates()
    middle, high = model.latency_ms(50), model.latency_ms(99)
    latency = "" if middle is None else f", latency p50 {middle} ms p99 {high} ms"
    last = model.samples[-1]
    return (
        f"{last.elapsed_s:4.0f} s  sent {last.sent:,} ({sent:,.0f}/s), metered {last.metered:,} ({metered:,.0f}/s), "
        f"{model.sessions:,} sessions, {model.alerted.total()} alerts, {model.handed_off.total():,} chats to agents, "
        f"{model.arrived['email']:,} mails, {model.arrived['webhook']:,} webhooks, "
        f"{model.dead_letters.total():,} dead letters{latency}{_mail_latency(model)}"
    )


def _mail_latency(model: Model) -> str:
    ordered = sorted(model.mail_latencies_ms)
    middle, high = percentile(ordered, 50), percentile(ordered, 99)
    return "" if middle is None else f", chat to mailbox p50 {middle} ms p99 {high} ms"
