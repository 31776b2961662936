"""Login links that were used: each is valid once, also across several web servers."""

from __future__ import annotations

from sqlalchemy import Engine, delete, insert
from sqlalchemy.exc import IntegrityError

from botmeter.readside.database import writing
from botmeter.readside.tables import used_links_table


class UsedLinks:
    """Remembers a link until it would have expired anyway. May be used from many threads at once."""

    def __init__(self, engine: Engine) -> None:
        """`engine` is the read side's database; a rebuild leaves these rows alone."""
        self._engine = engine

    def take(self, link_id: str, expires_at: int, now: int) -> bool:
        """Marks the link as used; False if it was used before. `expires_at` and `now` in UTC ms."""
        used = used_links_table
        try:
            with writing(self._engine) as connection:
                connection.execute(delete(used).where(used.c.expires_at <= now))
                connection.execute(insert(used).values(link_id=link_id, expires_at=expires_at))
        except IntegrityError:
            return False
        return True
