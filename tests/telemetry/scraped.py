"""A page of metrics, read as Prometheus reads it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


def told(page: str) -> dict[str, tuple[str, str]]:
    """Type and help of each metric, by the name of the table."""
    return {
        family.name + ("_total" if family.type == "counter" else ""): (family.type, family.documentation)
        for family in text_string_to_metric_families(page)
    }


def samples(page: str) -> list[Sample]:
    """Every sample."""
    return [sample for family in text_string_to_metric_families(page) for sample in family.samples]
