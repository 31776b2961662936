"""One installation on three brokers: its workers die, and in the end nothing may differ."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Final

from worker.cluster import Cluster
from worker.load import FRAGILE, Load
from worker.model import looked_at, require_no_difference
from worker.outage import held_back
from worker.process import PATIENCE_S, WorkerProcess

from .brokers import Brokers
from .views import require_views

#: As many as there are workers at most; of the load's accounts, some live on each.
PARTITIONS: Final = 3
#: As FRAGILE, with the patience that three brokers on one machine ask for.
SHORT_LIVED: Final = {
    **FRAGILE,
    "BOTMETER_KAFKA__SESSION_TIMEOUT_MS": "3000",
    "BOTMETER_TRANSACTION_TIMEOUT_MS": "4000",
}
DYING: Final = (sys.executable, str(Path(__file__).with_name("dying_worker.py")))


class Installation(Cluster):
    """Topics, group and data directories that no other test has, each record on all three brokers."""

    def __init__(self, brokers: Brokers, prefix: str, directory: Path, figures: Counter[str]) -> None:
        super().__init__(brokers.servers, prefix, directory, PARTITIONS, copies=3)
        self._brokers, self._figures = brokers, figures

    def fragile_worker(self, name: str, **variables: str) -> WorkerProcess:
        """Commits small and often; when it is gone, it is missed soon."""
        return self.worker(name, **{**SHORT_LIVED, **variables})

    def load(self, seed: int) -> Load:
        """Traffic that goes on while workers die, slow enough for one that commits small and often."""
        return Load(self, seed, pause_s=0.1)

    def dying_worker(self, name: str, point: str, passing: int, **variables: str) -> WorkerProcess:
        """As a fragile one, but it is killed at this passing of a named point."""
        death = {"DIES_AT": point, "PASSING": str(passing)}
        environment = self.environment(name, **{**SHORT_LIVED, **variables, **death})
        return self._closing.enter_context(WorkerProcess(environment, program=DYING))

    def end_well(self, *running: WorkerProcess) -> None:
        """The last workers take what is left and leave; then nothing may differ."""
        self.await_all_taken(running, within_s=2 * PATIENCE_S)
        for worker in running:
            worker.hears("health and metrics at")  # one that is not up yet would end at once
            worker.leaves()
        self.require_sound()

    def require_sound(self) -> None:
        """No transaction is open, the witness finds no difference, and both views of the outputs agree."""
        # What ends a transaction in its partitions is written after the broker has answered.
        self.await_true(lambda: not held_back(self), [], PATIENCE_S, "a transaction was left open")
        findings = looked_at(self)
        self._figures["records checked"] += findings.interactions + findings.commands
        self._figures["outputs as they should be"] += sum(each.total() for each in findings.confirmed.values())
        self._figures["differences"] += findings.total
        require_no_difference(findings)
        self._figures["records of aborted transactions, hidden from readers"] += require_views(self, self._brokers)
