"""The patterns of text settings, and their descriptions for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ADDRESSES: Final = r"^[^\s,]+(,[^\s,]+)*$"
NAME: Final = r"^[A-Za-z0-9._-]{1,200}$"
NAME_OR_NOTHING: Final = r"^[A-Za-z0-9._-]{0,200}$"
TOPIC: Final = r"^[A-Za-z0-9._-]+$"
CURRENCY: Final = r"^[A-Z]{3}$"
URL_OR_NOTHING: Final = r"^(https?://[^\s/]+[^\s]*)?$"
HOST_OR_NOTHING: Final = r"^[^\s/@]*$"
HEADER_OR_NOTHING: Final = r"^[A-Za-z0-9-]{0,100}$"

_NAME_CHARACTERS: Final = "letters, digits, dots, dashes and underscores"
#: The description of each pattern, for the error about a value that does not match it.
IN_WORDS: Final[Mapping[str, str]] = {
    ADDRESSES: "host:port, more of them separated by commas alone",
    NAME: f"1 to 200 {_NAME_CHARACTERS}",
    NAME_OR_NOTHING: f"at most 200 {_NAME_CHARACTERS}",
    TOPIC: _NAME_CHARACTERS,
    CURRENCY: "three capital letters, such as USD",
    URL_OR_NOTHING: "an address that begins with http:// or https://, or empty",
    HOST_OR_NOTHING: "the name of a host alone, or empty",
    HEADER_OR_NOTHING: "at most 100 letters, digits and dashes",
}
