"""Bulk writes: the compiled statement goes straight to the driver, with tuples.

In a batch of tens of thousands of rows, naming and converting each value would cost more than the database does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, Table, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

#: Values in the order of the table's columns, without an auto-increment key.
Values = tuple[Any, ...]
_Upsert = sqlite.Insert | postgresql.Insert


class Loader:
    """Inserts into tables of one database. Values must be in the driver's own types."""

    def __init__(self, engine: Engine) -> None:
        self._is_postgresql = engine.dialect.name == "postgresql"
        # Positional parameters, so that rows can be tuples; SQLite's are positional by default.
        positional: Dialect = PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call] # SQLAlchemy's own
        self._dialect = positional if self._is_postgresql else engine.dialect
        self._statements: dict[tuple[str, str], str] = {}

    def insert(self, table: Table) -> _Upsert:
        """An insert of the database's dialect, which supports ON CONFLICT."""
        return postgresql.insert(table) if self._is_postgresql else sqlite.insert(table)

    def add(self, connection: Connection, table: Table, rows: Sequence[Values]) -> None:
        """Inserts rows with auto-increment keys."""
        if not rows:
            return
        if self._is_postgresql:
            self._copy(connection, table, rows)
            return
        self._run(connection, "add", table, self.insert(table), rows)

    def add_up(self, connection: Connection, table: Table, counts: Sequence[str], rows: Sequence[Values]) -> None:
        """Inserts rows, or adds their counts to those of existing rows.

        An existing row takes over journal_offset and currency where they are not null, and keeps all other columns.
        """
        if not rows:
            return
        statement = self.insert(table)
        changed: dict[str, Any] = {name: table.c[name] + statement.excluded[name] for name in counts}
        for name in {"journal_offset", "currency"} & set(table.c.keys()):
            changed[name] = func.coalesce(statement.excluded[name], table.c[name])
        upsert = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)
        self._run(connection, "add up", table, upsert, rows)

    def replace(self, connection: Connection, table: Table, rows: Sequence[Values]) -> None:
        """Inserts rows, or replaces existing ones."""
        if not rows:
            return
        statement = self.insert(table)
        key = list(table.primary_key)
        changed = {column.name: statement.excluded[column.name] for column in table.c if column not in key}
        self._run(connection, "replace", table, statement.on_conflict_do_update(index_elements=key, set_=changed), rows)

    def _run(self, connection: Connection, kind: str, table: Table, statement: _Upsert, rows: Sequence[Values]) -> None:
        text = self._statements.get((kind, table.name))
        if text is None:
            compiled = statement.compile(dialect=self._dialect, column_keys=columns_of(table))
            assert list(compiled.positiontup or ()) == list(columns_of(table)), table.name
            text = self._statements[kind, table.name] = str(compiled)
        connection.exec_driver_sql(text, list(rows))

    def _copy(self, connection: Connection, table: Table, rows: Sequence[Values]) -> None:
        """COPY, PostgreSQL's fastest insert."""
        cursor: Any = connection.connection.cursor()
        with cursor, cursor.copy(f"COPY {table.name} ({', '.join(columns_of(table))}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


@cache
def columns_of(table: Table) -> tuple[str, ...]:
    """The columns that a row of values has: all but an auto-increment key."""
    auto_increment = table.autoincrement_column
    return tuple(column.name for column in table.c if column is not auto_increment)
