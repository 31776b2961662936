"""The wire: what every topic carries, how it is read and written. The public interface of botmeter.

`catalogue.py` has every message; `topics.py` names the topics. Models, each with an example, are in `inputs.py`,
`journal/`, `outputs/` and `headers.py`; `codec.py`, `encoding.py` and `decoding.py` stand between bytes and the domain;
`json_schemas.py` and `asyncapi.py` say it all to others.

A new output topic is a class of the domain, a model in `outputs/`, a line in `topics.py` and a row in `catalogue.py`.

A new command is a class in `domain/commands.py`, its rule in `domain/billing.py` and a model in `inputs.py`. If a new
kind of event comes of it, that is a class in `domain/events.py`, its fold in `domain/account.py`, a model in
`journal/`.
"""
