"""Ctrl-C is noted for the next turn of a loop; who insists is obeyed at once."""

from __future__ import annotations

import os
import signal

import pytest

from botmeter.simulation.interruption import watched_for_interruption


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_is_noted_and_nothing_is_raised() -> None:
    with watched_for_interruption() as interruption:
        assert not interruption.has_come
        press_ctrl_c()

        assert interruption.has_come


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    with watched_for_interruption():
        press_ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()


def test_afterwards_ctrl_c_is_what_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    with watched_for_interruption():
        assert signal.getsignal(signal.SIGINT) is not before

    assert signal.getsignal(signal.SIGINT) is before
