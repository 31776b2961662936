"""The metrics that every process of botmeter has: its version, and the resources that it uses."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, disable_created_metrics

from botmeter.telemetry.described import CounterOf, GaugeOf

BUILD: Final = GaugeOf(
    "botmeter_build_info",
    "Always 1; the labels say which versions run.",
    ("version", "python", "confluent_kafka", "rocksdict"),
)
RESIDENT: Final = GaugeOf("process_resident_memory_bytes", "Memory that the process holds. Linux only, as all below.")
VIRTUAL: Final = GaugeOf("process_virtual_memory_bytes", "Address space that the process has reserved.")
CPU: Final = CounterOf("process_cpu_seconds_total", "Processor time that the process has used.")
STARTED: Final = GaugeOf("process_start_time_seconds", "When the process began, in seconds since 1970.")
OPEN_FILES: Final = GaugeOf("process_open_fds", "Open files and connections.")
MAX_FILES: Final = GaugeOf("process_max_fds", "Limit of open files and connections.")


def register_process(registry: CollectorRegistry) -> None:
    """Adds these metrics to the registry."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # an additional series for each metric, of no use here
    build = Gauge(BUILD.name, BUILD.meaning, BUILD.labels, registry=registry)
    build.labels(
        _version("botmeter"), platform.python_version(), _version("confluent-kafka"), _version("rocksdict")
    ).set(1)
    ProcessCollector(registry=registry)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
