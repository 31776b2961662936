"""The base classes of all messages' models. A model has an example of its message."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, get_args

from pydantic import BaseModel, ConfigDict, Field

from botmeter.contracts.fields import Count

Example = dict[str, Any]

#: Moments of the examples: when it happens, and the billing cycle that contains it.
AT: Final = "2026-11-23T10:00:00.000Z"
CYCLE_STARTS: Final = "2026-11-01T04:00:00.000Z"
CYCLE_ENDS: Final = "2026-12-01T05:00:00.000Z"


class MessageModel(BaseModel):
    """Any message; `class X(MessageModel, example={...})` gives it an example without its `type`."""

    example: ClassVar[Example]

    def __init_subclass__(cls, example: Example | None = None, **_config: Any) -> None:
        """`_config` is passed to pydantic."""
        super().__init_subclass__()
        if example is not None:
            cls.example = example


class WireModel(MessageModel):
    """Any message that botmeter writes. Later versions may add fields; readers ignore unknown ones."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, defer_build=True)


class Charge(WireModel):
    """An amount of money."""

    amount_minor: Annotated[Count, Field(description="In minor units of the currency: cents of USD.")]
    currency: Annotated[str, Field(description="ISO 4217, such as USD.")]


def members(union: Any) -> tuple[type[MessageModel], ...]:
    """Returns the models of a discriminated union such as `JournalMessage`."""
    return get_args(get_args(union)[0])


def type_of(model: type[BaseModel]) -> str:
    """Returns the `type` of the model's messages on the wire."""
    found: str = get_args(model.model_fields["type"].annotation)[0]
    return found


def since(release: str, description: str, *, nullable: bool = False) -> Any:
    """Returns the Field of one that was added: always written since `release`; older records lack it, so it is None.

    On the wire it is null only if it is `nullable`.
    """
    description = f"{description} Since release {release}; older records lack it."
    return Field(description=description, json_schema_extra={"x-since": release, "x-nullable": nullable})
