"""What a case may demand of the choice of an engine: shares, and who gets what."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import comb

from steps.engine.findings import Evidence, Finding, Held
from steps.profiles.chat.replies import Talk
from steps.profiles.router.expectations import plan

RARE = 1e-4  # of right routers, so many are accused by chance


@dataclass(frozen=True, slots=True)
class Share:
    """Of all requests of the case the engine gets about `share`: not so few nor so many that chance gives them once in ten thousand."""

    engine: str
    share: float

    def judge(self, talk: Talk, requirement: str) -> Iterator[Evidence]:
        counts = Counter(name for name, _ in plan(talk).asked)
        total, got = sum(counts.values()), counts[self.engine]
        least, most = bounds(total, self.share)
        said = f"{least} to {most} of {total} requests at engine {self.engine}, whose share is {self.share:.0%}"
        yield Held(requirement) if least <= got <= most else Finding(requirement, said, f"{dict(counts)}")


def bounds(total: int, share: float) -> tuple[int, int]:
    """The counts that a draw of this share gives, but for one in ten thousand."""
    likely = [comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(total + 1)]
    least = next(k for k in range(total + 1) if sum(likely[: k + 1]) > RARE / 2)
    most = next(k for k in range(total, -1, -1) if sum(likely[k:]) > RARE / 2)
    return least, most
