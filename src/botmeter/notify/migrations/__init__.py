"""The outbox's schema, step by step, by alembic."""
