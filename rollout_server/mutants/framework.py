"""What a mutant is, and the three ways to plant a defect: around a function, in what goes out, in what comes in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

BOTH = ("sync", "callback")
SYNC = ("sync",)
CALLBACK = ("callback",)
ROUTED = ("routed",)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`requirement` is what it breaks in these dialects; `companions` necessarily break with it, `*` means that hardly anything
    works without it. `by` is the method that finds it: written cases, or only generated requests or explored orders."""

    name: str
    requirement: str
    what: str
    patch: Callable[[], None]
    dialects: tuple[str, ...] = BOTH
    companions: tuple[str, ...] = ()
    by: str = "cases"
    profile: str = "ROLLOUT"

    def described(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "requirement": f"{self.profile}-{self.requirement}",
            "companions": [
                companion if companion == "*" else f"{self.profile}-{companion}" for companion in self.companions
            ],
            "dialects": list(self.dialects),
            "what": self.what,
            "by": self.by,
        }


def put(owner: Any, name: str, value: Any) -> Callable[[], None]:
    """Replace an attribute."""
    return lambda: setattr(owner, name, value)


def around(owner: Any, name: str, change: Callable[..., Any]) -> Callable[[], None]:
    """Replace a function by `change(original, *arguments)`."""

    def patch() -> None:
        original = getattr(owner, name)
        setattr(owner, name, lambda *a, **k: change(original, *a, **k))

    return patch


def after(owner: Any, name: str, change: Callable[[Any], Any]) -> Callable[[], None]:
    """Change what a function returns."""
    return around(owner, name, lambda original, *a, **k: change(original(*a, **k)))
