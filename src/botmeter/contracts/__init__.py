"""The wire: what every topic carries, how it is read and written. The public interface of botmeter.

`topics.py` names the topics; `inputs.py`, `journal.py` and `outputs.py` are the messages; `decoding.py` and
`encoding.py` stand between them and the domain.
"""
