"""The pure step: the records of one partition in, their outputs and changed states out."""
