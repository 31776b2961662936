"""The messages of the journal: one for each event of the domain, with its name, a `type`, and the cause as last field.

`botmeter.domain.events` explains what an event means; these models are the contract with other programs.
"""

from __future__ import annotations

from itertools import chain
from typing import Annotated, Any, Final, Union, get_args

from pydantic import Field

from botmeter.contracts.journal import account, allowance, usage
from botmeter.contracts.journal.event import EventMessage
from botmeter.domain.events import Event

_MODELS: Final = dict(chain(*(vars(module).items() for module in (account, allowance, usage))))


def _model_of(event: type) -> type[EventMessage]:
    """Returns the model of an event. Raises KeyError when there is none."""
    model: type[EventMessage] = _MODELS[event.__name__]
    return model


#: Every event's model, in the order of the events.
JOURNAL: Final = tuple(_model_of(event) for event in get_args(Event))
#: The union of all models, made at run time.
JournalMessage: Any = Annotated[Union[JOURNAL], Field(discriminator="type")]  # noqa: UP007
