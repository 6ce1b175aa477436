"""A stop string that the model is known to generate: a piece of an earlier response."""

BROKEN = "\ufffd"
FEW = 3  # so many letters are of one word, and often of one token


def stop_string(text: str, letters: int) -> str | None:
    """The piece nearest to the middle that begins within a word and has not occurred before; None where there is none."""
    starts = sorted(range(1, len(text) - letters), key=lambda n: abs(n - len(text) // 2))
    return next((text[n : n + letters] for n in starts if _is_fit(text, n, letters)), None)


def _is_fit(text: str, start: int, letters: int) -> bool:
    piece = text[start : start + letters]
    within = not text[start - 1].isspace() and not piece[0].isspace() and not piece[-1].isspace()
    of_one_word = letters > FEW or not any(letter.isspace() for letter in piece)
    return within and of_one_word and BROKEN not in piece and text.find(piece) == start
