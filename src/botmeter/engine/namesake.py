"""Another member of the group with this worker's `group.instance.id`, which keeps this worker out (KIP-848).

A worker that is killed stays a member until its session ends. In a classic group the worker that is started in its
place takes it over at once; in a KIP-848 group the brokers refuse it until then. A namesake that runs keeps its place.
"""

from __future__ import annotations

import logging
from typing import Final

from botmeter.clock import Clock, Deadline
from botmeter.errors import InstanceTaken

log = logging.getLogger(__name__)

#: Only the brokers know the session's timeout: 45 s unless configured, and at most 60 s unless that is configured too
#: (`group.consumer.max.session.timeout.ms`). The rest is for brokers that are slow to notice.
_WAIT_S: Final = 75.0
#: Pause between two attempts to join.
_PAUSE_S: Final = 1.0


class Namesake:
    """How long a namesake has kept this worker out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deadline: Deadline | None = None

    def await_end(self, taken: InstanceTaken) -> None:
        """Waits a moment; the caller then joins again. Raises InstanceTaken when a dead namesake would be gone."""
        if self._deadline is None:
            self._deadline = self._clock.deadline(_WAIT_S)
            log.warning(
                "waiting up to %.0f s for the group to forget another member with this worker's "
                "BOTMETER_KAFKA__GROUP_INSTANCE_ID: one that was killed is kept until its session ends; if it lasts, "
                "another worker that runs has the same one, which each needs to have of its own",
                _WAIT_S,
            )
        if self._deadline.is_past:
            raise InstanceTaken(
                f"{taken}; if no other worker has this one, the group's sessions last longer than a minute "
                "(consumer.session.timeout.ms): start this worker again"
            )
        self._clock.sleep(_PAUSE_S)
