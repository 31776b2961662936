"""Writing many rows at once: the statement goes to the driver as it is, with tuples.

Where a batch has tens of thousands of rows, naming and converting each value costs more than the database does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, Table, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

#: Values in the order of the table's columns, without a key that the database counts itself.
Values = tuple[Any, ...]
_Upsert = sqlite.Insert | postgresql.Insert


class Loader:
    """Inserts into tables of one database. Values are given as the driver takes them."""

    def __init__(self, engine: Engine) -> None:
        self._is_postgresql = engine.dialect.name == "postgresql"
        # Parameters by place, so that rows can be tuples; SQLite has them so by itself.
        positional: Dialect = PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call] # SQLAlchemy's own
        self._dialect = positional if self._is_postgresql else engine.dialect
        self._statements: dict[tuple[str, str], str] = {}

    def insert(self, table: Table) -> _Upsert:
        """An insert that knows what to do on a conflict."""
        return postgresql.insert(table) if self._is_postgresql else sqlite.insert(table)

    def add(self, connection: Connection, table: Table, rows: Sequence[Values]) -> None:
        """Inserts rows whose keys the database counts itself."""
        if not rows:
            return
        if self._is_postgresql:
            self._copy(connection, table, rows)
            return
        self._run(connection, "add", table, self.insert(table), rows)

    def add_up(self, connection: Connection, table: Table, counts: Sequence[str], rows: Sequence[Values]) -> None:
        """Inserts rows, or adds their counts to those there are; what else a row has stays, unless it was null."""
        if not rows:
            return
        statement = self.insert(table)
        changed: dict[str, Any] = {name: table.c[name] + statement.excluded[name] for name in counts}
        for name in {"journal_offset", "currency"} & set(table.c.keys()):
            changed[name] = func.coalesce(statement.excluded[name], table.c[name])
        upsert = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)
        self._run(connection, "add up", table, upsert, rows)

    def replace(self, connection: Connection, table: Table, rows: Sequence[Values]) -> None:
        """Inserts rows, or replaces those there are."""
        if not rows:
            return
        statement = self.insert(table)
        key = list(table.primary_key)
        changed = {column.name: statement.excluded[column.name] for column in table.c if column not in key}
        self._run(connection, "replace", table, statement.on_conflict_do_update(index_elements=key, set_=changed), rows)

    def _run(self, connection: Connection, way: str, table: Table, statement: _Upsert, rows: Sequence[Values]) -> None:
        text = self._statements.get((way, table.name))
        if text is None:
            compiled = statement.compile(dialect=self._dialect, column_keys=columns_of(table))
            assert list(compiled.positiontup or ()) == list(columns_of(table)), table.name
            text = self._statements[way, table.name] = str(compiled)
        connection.exec_driver_sql(text, list(rows))

    def _copy(self, connection: Connection, table: Table, rows: Sequence[Values]) -> None:
        """COPY, PostgreSQL's fastest way in."""
        cursor: Any = connection.connection.cursor()
        with cursor, cursor.copy(f"COPY {table.name} ({', '.join(columns_of(table))}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


@cache
def columns_of(table: Table) -> tuple[str, ...]:
    """The columns that a row of values has."""
    counted = table.autoincrement_column
    return tuple(column.name for column in table.c if column is not counted)
