"""The texts of the token ids that occur in a report, where its tokenizer is known."""

import re
from collections.abc import Callable

import orjson

IDS = re.compile(r'"(?:\w*token_ids|\w*_ids|token_id)"\s*:\s*(?:\[([\d,\s]*)|(\d+))')
MOST = 60_000  # different ids
HIGHEST = 2**31
Decode = Callable[[int], str]


class TokenTexts:
    """Collects the ids while the page is written; `texts` then has each once."""

    def __init__(self, decode: Decode | None) -> None:
        self.decode = decode
        self.ids: set[int] = set()

    def note(self, body: str) -> None:
        """The ids in the text of a body, which may be cut or a stream of events."""
        if self.decode is None or "_id" not in body:
            return
        for several, one in IDS.findall(body):
            try:
                self.ids.update(orjson.loads(f"[{(several or one).strip(' ,')}]"))
            except orjson.JSONDecodeError:
                continue  # a list that was cut within a number has no end

    def texts(self) -> dict[str, str]:
        decode = self.decode
        known = sorted(one for one in self.ids if isinstance(one, int) and one < HIGHEST)
        return {} if decode is None else {str(one): decode(one) for one in known[:MOST]}
