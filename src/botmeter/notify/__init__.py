"""Alerts to e-mail and webhooks: an outbox in SQL, and senders that know how far each attempt came."""
