"""What mutants of several servers do as programs in JavaScript do by mistake."""

OF_EVERY_OBJECT = ("__proto__", "constructor", "toString", "valueOf", "hasOwnProperty")  # what `name in {}` finds
PIECE = 256  # units of UTF-16


def in_pieces_of_utf16(text: str) -> str:
    """The text as it is when each piece becomes UTF-8 by itself: U+FFFD for each half of a character between two pieces."""
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * PIECE:
        return text
    pieces = (units[start : start + 2 * PIECE] for start in range(0, len(units), 2 * PIECE))
    return "".join(piece.decode("utf-16-le", "replace") for piece in pieces)
