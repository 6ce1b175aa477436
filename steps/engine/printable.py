"""Texts of others, such as an XML document, a log and a terminal can hold them."""

import re

from rollout_conformance.steps.engine.redaction import redacted

# What no XML document may hold, nor a terminal or a log show: control characters, halves of characters, and the two that are none.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """A text without secrets, in which `\\x1b` and the like are written out."""
    return UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", redacted(text))
