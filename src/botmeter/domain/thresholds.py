"""Thresholds: which usage reaches them, and which stay reached.

A threshold alerts once while usage stays at or above it (`T1`, `T2`). `Allowance.reached` holds those that have
alerted.
"""

from __future__ import annotations

from collections.abc import Iterable


def is_reached(percent: int, used: int, total: int) -> bool:
    """Whether usage is at or above `percent` of the total; a total of 0 reaches nothing (`T1`)."""
    return total > 0 and used * 100 >= percent * total


def reached_at(percent: int, total: int) -> int:
    """Returns the lowest usage that reaches `percent` of the total, which is above 0 (`T1`)."""
    return -(-percent * total // 100)


def reached_of(percents: Iterable[int], used: int, total: int) -> tuple[int, ...]:
    """Returns the thresholds that usage has reached; thresholds set now that are reached do not alert (`T1`)."""
    return tuple(percent for percent in percents if is_reached(percent, used, total))


def newly_reached(percents: Iterable[int], reached: tuple[int, ...], used: int, total: int) -> list[int]:
    """Returns the thresholds that usage has reached and that have not alerted, in their order (`T1`, `T2`)."""
    return [percent for percent in percents if percent not in reached and is_reached(percent, used, total)]


def with_reached(reached: tuple[int, ...], percent: int) -> tuple[int, ...]:
    """Returns the reached thresholds with one more, ascending."""
    return tuple(sorted({*reached, percent}))
