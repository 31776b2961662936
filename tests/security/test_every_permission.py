"""The table of docs/security.md is exact: with it every program does its work, and each single permission is needed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from botmeter.operations.permissions import PROGRAMS, Permission, needed
from worker.cluster import PARTITIONS, Cluster

from .programs import Programs
from .secured import SECRET, WAYS, SecuredKafka, user_of

#: Several minutes, for every permission of every program is taken away once.
pytestmark = [pytest.mark.kafka, pytest.mark.chaos]

#: Whoever runs these needs a worker that answers.
ANSWERED = ("web", "verify", "account", "billing side", "notify", "project", "replay", "simulate")
#: Other teams' programs: the SDK says what was refused, and knows no table.
OTHERS = ("chat platform", "billing side", "balance table")


@pytest.fixture(scope="module")
def programs(secured: SecuredKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """An installation that has metered, and who may do what the table says."""
    cluster = Cluster(secured.bootstrap_servers, "exact.", tmp_path_factory.mktemp("exact"))
    made = Programs(secured, cluster)
    for program in PROGRAMS:
        secured.allow(user_of(program), needed(program, made.settings(program)))
    ran = made.run("worker")
    assert ran.is_well, ran.said
    yield made
    cluster.close()


def singly(permissions: list[Permission]) -> list[Permission]:
    return [row.of(operation) for row in permissions for operation in row.operations]


def covers(row: Permission, resource: str, name: str, operation: str) -> bool:
    is_named = name.startswith(row.name) if row.pattern == "prefixed" else name == row.name
    return row.resource == resource and is_named and operation in row.operations


def at_work(programs: Programs, program: str) -> Iterator[None]:
    """A worker beside those that need its answers."""
    if program not in ANSWERED:
        yield
        return
    with programs.started("worker") as worker:
        worker.restored(PARTITIONS)
        yield
        worker.leaves()


@pytest.mark.parametrize("program", PROGRAMS)
def test_with_its_permissions_a_program_does_its_work_and_each_of_them_is_used(
    secured: SecuredKafka, programs: Programs, program: str
) -> None:
    for _ in at_work(programs, program):
        ran = programs.run(program)
    asked = secured.asked(user_of(program))

    assert ran.is_well, ran.said
    table = needed(program, programs.settings(program))
    used = {row for row in singly(table) for outcome, did, kind, name in asked if covers(row, kind, name, did)}
    assert set(singly(table)) - used == set()


@pytest.mark.parametrize("program", PROGRAMS)
def test_without_one_permission_a_program_says_which(secured: SecuredKafka, programs: Programs, program: str) -> None:
    unnamed = []
    for _ in at_work(programs, program):
        for row in singly(needed(program, programs.settings(program))):
            with secured.without(user_of(program), row):
                ran = programs.run(program)
            words = ("permission is missing",) if program in OTHERS else row.operations
            where = "on cluster" if row.resource == "cluster" else row.name
            is_told = [line for line in ran.said.splitlines() if where in line and words[0] in line]
            if ran.is_well or not is_told or "Traceback" in ran.said:
                unnamed.append(f"{row}: {ran.is_well} {ran.said[-600:]}")

    assert unnamed == []


@pytest.mark.parametrize("way", [way for way in WAYS if way != "plain"])
def test_every_program_comes_in_by_every_way(programs: Programs, way: str) -> None:
    for program in PROGRAMS:
        for _ in at_work(programs, program):
            ran = programs.run(program, way)
        assert ran.is_well, f"{program}: {ran.said}"
        assert SECRET not in ran.said


def test_a_running_worker_that_loses_a_permission_ends_and_says_which(
    secured: SecuredKafka, programs: Programs
) -> None:
    [alerts] = [row for row in needed("worker", programs.settings("worker")) if row.name.endswith(".alerts")]
    with programs.started("worker") as worker:
        worker.restored(PARTITIONS)
        with secured.without("worker", alerts.of("WRITE")):
            programs.alert_somebody()
            code = worker.ended()

    assert code == 3
    assert f"missing permission of User:worker: WRITE on topic {alerts.name}; run: kafka-acls.sh" in worker.lines[-1]
    assert "Traceback" not in worker.said
