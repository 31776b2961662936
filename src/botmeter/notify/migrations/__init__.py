"""The alembic migrations of the outbox's schema."""
