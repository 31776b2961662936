"""The API, one file a subject. Numbers come from `readside.queries`; here they get their names on the wire."""
