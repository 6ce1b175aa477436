"""JSON within a page: whatever the strings hold, none of them ends its element."""

import base64
import zlib

import orjson
from markupsafe import Markup

# `<` begins an end tag or a comment, and U+2028 and U+2029 end a line of a script.
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
LEVEL = 3  # more takes three times as long for a tenth of the size
_TABLE = str.maketrans(ESCAPES)


def script_data(value: object) -> Markup:
    """The value as JSON that may stand in a script element of HTML. Half a character is written out, as `\\ud800`."""
    return Markup(_json(value).decode().translate(_TABLE))  # noqa: S704 (all that could end the element has just been escaped)


def packed(value: object) -> Markup:
    """The value as JSON that is compressed (zlib, base64): a browser opens the page of thousands of cases at once, and unpacks what is shown."""
    return Markup(base64.b64encode(zlib.compress(_json(value), LEVEL)).decode())  # noqa: S704 (base64 has no character of markup)


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        return orjson.dumps(_whole(value))


def _whole(value: object) -> object:
    """The value with every text as valid Unicode."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {str(_whole(str(name))): _whole(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value
