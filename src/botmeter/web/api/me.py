"""What the caller's credential allows."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from botmeter.web.access.guard import Caller
from botmeter.web.access.roles import Role
from botmeter.web.problems import documented

router = APIRouter(tags=["access"])


class Me(BaseModel):
    """The caller, as the server identified it."""

    subject: Annotated[str, Field(description="The `issued_by` of the caller's commands in the journal.")]
    role: Role
    accounts: Annotated[list[str] | None, Field(description="The accounts the caller may see; null: all.")]


@router.get("/me", summary="Who am I", responses=documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS))
def me(caller: Caller) -> Me:
    """What the caller's token or login allows."""
    return Me(
        subject=caller.subject,
        role=caller.role,
        accounts=None if caller.is_operator else sorted(caller.accounts),
    )
