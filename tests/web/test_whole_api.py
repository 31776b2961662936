"""Schemathesis calls every route with what the document allows and with what it does not: no answer breaks its word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from worker.cluster import Cluster

from .application import api_beside, bearer

pytestmark = pytest.mark.kafka

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[httpx.Client]:
    cluster.worker().restored(cluster.partitions)
    with api_beside(cluster, http_after_wait_ms=200, http_command_wait_ms=200) as client:
        yield client


def test_every_route_keeps_its_word(api: httpx.Client) -> None:
    schema = schemathesis.openapi.from_url(str(api.base_url.join("/v1/openapi.json")))
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) >= 19

    for operation in operations:

        @seed(7)
        @settings(max_examples=12, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy())
        def keeps_its_word(case: schemathesis.Case[Any]) -> None:
            response = case.call(headers=bearer("operator"), timeout=60)
            if response.status_code in {503, 504}:  # no fault of the server: a person reads why
                assert response.json()["status"] == response.status_code
            else:
                case.validate_response(response, checks=CHECKS)

        keeps_its_word()
