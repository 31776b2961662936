"""Alerts to e-mail and webhooks: an outbox in SQL, and senders that record how far each attempt got."""
