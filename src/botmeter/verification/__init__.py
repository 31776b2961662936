"""The witness: recomputes what the inputs lead to, with the domain and none of the engine, and compares the outputs."""
