"""The wire format: the messages of every topic, and how they are read and written. The public interface of botmeter.

`catalogue.py` lists every message; `topics.py` names the topics. Models, each with an example, are in `inputs.py`,
`journal/`, `outputs/` and `headers.py`. `codec.py`, `encoding.py` and `decoding.py` convert between bytes and the
domain. `json_schemas.py` and `asyncapi.py` describe it all for other programs.

A new output topic needs a class of the domain, a model in `outputs/`, a line in `topics.py` and a row in
`catalogue.py`.

A new command needs a class in `domain/commands.py`, its rule in `domain/billing.py` and a model in `inputs.py`. A new
kind of event needs a class in `domain/events.py`, its fold in `domain/account.py` and a model in `journal/`.
"""
