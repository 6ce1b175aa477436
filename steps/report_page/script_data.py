"""JSON within a page: whatever the strings hold, none of them ends its element."""

import orjson
from markupsafe import Markup

# `<` begins an end tag or a comment, and U+2028 and U+2029 end a line of a script.
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_TABLE = str.maketrans(ESCAPES)


def script_data(value: object) -> Markup:
    """The value as JSON that may stand in a script element of HTML. Half a character is written out, as `\\ud800`."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = orjson.dumps(_whole(value)).decode()
    return Markup(text.translate(_TABLE))  # noqa: S704 (all that could end the element has just been escaped)


def _whole(value: object) -> object:
    """The value with every text as valid Unicode."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {str(_whole(str(name))): _whole(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value
