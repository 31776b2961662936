"""A person who looks at the partitions now and then, and skips the records at which they have failed."""

from __future__ import annotations

import re
from typing import Final

from botmeter.errors import BotmeterError
from botmeter.kafka import clients
from botmeter.operations.partitions import PartitionDesk
from botmeter.operations.rescue import Author, RescueDesk
from botmeter.settings.model import Settings
from memory_kafka.world import Process

from .scheduler import Scheduler

_LOOKS_EVERY_MS: Final = 1_500
_AUTHOR: Final = Author("jane", "a history of it")
#: The remedy that a failed partition tells.
_SKIP: Final = re.compile(r"botmeter partition skip (\d+) (\S+)@(\d+)$")


class Operator:
    """Does what `botmeter partition skip` does; who is killed at it begins anew."""

    def __init__(self, scheduler: Scheduler, settings: Settings) -> None:
        self._scheduler, self._settings = scheduler, settings
        self.process = Process("operator")

    def start(self) -> None:
        self.process = Process("operator")
        self._scheduler.spawn(self.process, "operator", self._work)

    def start_again(self) -> None:
        """After a moment."""
        self._scheduler.after(_LOOKS_EVERY_MS, self.start)

    def _work(self) -> None:
        while True:
            self._scheduler.wait_until(lambda: False, _LOOKS_EVERY_MS, self.process)
            for number in range(self._settings.partitions):
                try:
                    self._look_at(number)
                except BotmeterError as error:  # told as one line; the next look shows what became of it
                    if self._scheduler.tell:
                        self._scheduler.tell(f"operator: {error!r}")

    def _look_at(self, number: int) -> None:
        with PartitionDesk(self._settings, clients.make_admin({})) as desk:
            [partition] = desk.partitions([number])
            told = _SKIP.search(partition.remedy or "")
            if told is not None and not partition.is_skipped:
                rescues = RescueDesk(desk, _AUTHOR)
                rescues.do(rescues.skip(number, told[2], int(told[3])))
                self._scheduler.faults["record skipped"] += 1
