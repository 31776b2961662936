"""The services that routes use: queries of the read side, the client that sends commands, entitlement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from botmeter.client import AsyncClient
from botmeter.readside.queries import Queries
from botmeter.readside.used_links import UsedLinks
from botmeter.web.entitlement.service import Entitlement


@dataclass(frozen=True, slots=True)
class Services:
    """Set on the application's state by its lifespan."""

    queries: Queries
    client: AsyncClient
    entitlement: Entitlement
    used_links: UsedLinks


def services_of(request: Request) -> Services:
    """Returns the application's services."""
    services: Services = request.app.state.services
    return services


async def _queries(request: Request) -> Queries:
    return services_of(request).queries


async def _client(request: Request) -> AsyncClient:
    return services_of(request).client


async def _entitlement(request: Request) -> Entitlement:
    return services_of(request).entitlement


# These functions are `async` although they await nothing: FastAPI would call others in a thread.
#: Annotations for the parameters of routes.
QueriesDep = Annotated[Queries, Depends(_queries)]
ClientDep = Annotated[AsyncClient, Depends(_client)]
EntitlementDep = Annotated[Entitlement, Depends(_entitlement)]
