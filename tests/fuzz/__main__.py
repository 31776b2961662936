"""Fuzzing for as long as one likes: `make fuzz`, or `PYTHONPATH=tests python -m fuzz NAME...`, from the root.

Coverage leads it: what takes a new way through the decoders is changed further. A broken promise ends it with a
traceback, and the bytes that broke it are in build/: what is new in them belongs into `damage.HOSTILE`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

try:
    import atheris
except ModuleNotFoundError:
    sys.exit("make fuzz needs atheris, which comes as a wheel for Linux and Python 3.11 to 3.13 alone")

with atheris.instrument_imports(include=["botmeter"]):
    from .decoders import Decoder, all_decoders

from contracts.test_hot_decoder import by_the_contract, by_the_decoder

from .damage import HOSTILE

#: One input is at most so long; beyond it only repeats itself.
_BYTES_MAX: Final = 4_096


def main() -> None:
    """Fuzzes each decoder that is named, all by default, for some seconds each, in a process of its own."""
    arguments = _arguments()
    decoders = {decoder.name: decoder for decoder in all_decoders()}
    unknown = set(arguments.names) - decoders.keys()
    if unknown:
        sys.exit(f"there is no decoder {', '.join(sorted(unknown))}; there are: {', '.join(decoders)}")
    for name in arguments.names or decoders:
        child = os.fork()
        if not child:
            _fuzz(decoders[name], arguments.seconds)
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit(f"{name}: the promise is broken, see above")
        sys.stdout.write(f"{name}: nothing found in {arguments.seconds} s\n")
        sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz the decoders.")
    parser.add_argument("names", nargs="*", help="decoders, by the names that the tests have; all by default")
    parser.add_argument("--seconds", type=int, default=20, help="for each")
    return parser.parse_args()


def _fuzz(decoder: Decoder, seconds: int) -> None:
    """Does not come back: the fuzzer ends its process, with 0 when it found nothing."""
    corpus, broken = Path(tempfile.mkdtemp(prefix="botmeter-fuzz-")), Path("build")
    broken.mkdir(exist_ok=True)
    for number, example in enumerate((*decoder.examples, *HOSTILE)):
        (corpus / str(number)).write_bytes(example)
    promise = _agreeing if decoder.name == "interactions" else decoder.keeps_its_promise
    options = [f"-max_total_time={seconds}", f"-max_len={_BYTES_MAX}", "-verbosity=0", f"-artifact_prefix={broken}/"]
    atheris.Setup(["fuzz", *options, str(corpus)], _giving_nothing(promise))
    atheris.Fuzz()


def _agreeing(data: bytes) -> None:
    assert by_the_contract(data) == by_the_decoder(data)


def _giving_nothing(promise: Callable[[bytes], object]) -> Callable[[bytes], None]:
    """As the fuzzer wants it."""

    def one_input(data: bytes) -> None:
        promise(data)

    return one_input


main()
