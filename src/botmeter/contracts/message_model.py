"""What the models of all messages are made of. A model and an example of its message stand together."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, get_args

from pydantic import BaseModel, ConfigDict, Field

from botmeter.contracts.fields import Count

Example = dict[str, Any]

#: Moments of the examples: when it happens, and the billing cycle around it.
AT: Final = "2026-11-23T10:00:00.000Z"
CYCLE_STARTS: Final = "2026-11-01T04:00:00.000Z"
CYCLE_ENDS: Final = "2026-12-01T05:00:00.000Z"


class MessageModel(BaseModel):
    """Any message; `class X(MessageModel, example={...})` gives it an example, all but the `type`."""

    example: ClassVar[Example]

    def __init_subclass__(cls, example: Example | None = None, **_config: Any) -> None:
        """`_config` is pydantic's."""
        super().__init_subclass__()
        if example is not None:
            cls.example = example


class WireModel(MessageModel):
    """Any message botmeter writes. Later versions may add fields; readers ignore those they do not know."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, defer_build=True)


class Charge(WireModel):
    """Money."""

    amount_minor: Annotated[Count, Field(description="In minor units of the currency: cents of USD.")]
    currency: Annotated[str, Field(description="ISO 4217, such as USD.")]


def members(union: Any) -> tuple[type[MessageModel], ...]:
    """The models of a discriminated union such as `JournalMessage`."""
    return get_args(get_args(union)[0])


def type_of(model: type[BaseModel]) -> str:
    """The `type` that the model's messages have on the wire."""
    found: str = get_args(model.model_fields["type"].annotation)[0]
    return found


def since(release: str, description: str, *, nullable: bool = False) -> Any:
    """Of a field that was added: written always since that release; records of older ones lack it, and it is None.

    On the wire it is null only if it is `nullable`.
    """
    description = f"{description} Since release {release}; older records lack it."
    return Field(description=description, json_schema_extra={"x-since": release, "x-nullable": nullable})
