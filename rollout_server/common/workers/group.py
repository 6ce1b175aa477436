"""The processes that serve one port together, and which of them has what belongs to a name."""

import zlib
from dataclasses import dataclass
from pathlib import Path

from starlette.types import Scope


@dataclass(frozen=True, slots=True)
class Group:
    """`index` is this process, from 0. `folder` holds what all share: their private sockets and the shared state."""

    folder: Path
    count: int
    index: int

    def owner(self, name: str) -> int:
        """The process that handles everything of this name. It depends on nothing else, so all agree without a word."""
        return zlib.crc32(name.encode("utf-8", "surrogatepass")) % self.count

    def is_own(self, name: str) -> bool:
        return self.owner(name) == self.index

    def others(self) -> list[int]:
        return [index for index in range(self.count) if index != self.index]

    def socket(self, index: int) -> str:
        """The path of the private socket of a process. Only this user can connect to it, as only he may enter the folder."""
        return str(self.folder / f"{index}.sock")


def is_private(scope: Scope) -> bool:
    """Whether another process of the group sent this request: what arrives by the private socket has no port."""
    server = scope.get("server")
    return server is not None and server[1] is None
