"""The texts of the token ids that occur in a report, where its tokenizer is known."""

import re
from collections.abc import Callable

IDS = re.compile(r'"(?:\w*token_ids|\w*_ids|token_id)"\s*:\s*(?:\[([\d,\s]*)|(\d+))')
MOST = 60_000  # different ids
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
            self.ids.update(int(part) for part in (several or one).split(",") if part.strip() and len(part) < 12)

    def texts(self) -> dict[str, str]:
        decode = self.decode
        return {} if decode is None else {str(one): decode(one) for one in sorted(self.ids)[:MOST]}
