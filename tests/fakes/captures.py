"""A fake of the stores of captures and of listed exchanges, in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sellergate_gateway.captures.recent import MOST_LISTED
from sellergate_gateway.captures.redaction import Exchange
from sellergate_gateway.captures.service import Capture


@dataclass
class MemoryCaptures:
    """The `CaptureStore` and `RecentStore` ports of one process."""

    known: dict[str, Capture] = field(default_factory=dict)
    kept: dict[str, list[tuple[str, Exchange]]] = field(default_factory=dict)
    count: int = 0

    async def begin(self, capture: Capture) -> None:
        self.known[capture.id] = capture

    async def end(self, capture: Capture) -> None:
        self.known.pop(capture.id, None)

    async def wanted(self) -> Iterable[Capture]:
        return list(self.known.values())

    async def put(self, capture: Capture, exchange: Exchange) -> None:
        self.count += 1
        listed = self.kept.setdefault(capture.id, [])
        listed.append((f"{self.count}-0", exchange))
        del listed[:-MOST_LISTED]

    async def take(self, capture: Capture) -> Sequence[Exchange]:
        return [exchange for _, exchange in self.kept.pop(capture.id, [])]

    def id_of(self, account_id: str) -> str:
        return f"listed {account_id}"

    async def find(self, capture_id: str) -> Capture | None:
        return self.known.get(capture_id)

    async def page(self, capture_id: str, before: str, limit: int) -> Sequence[tuple[str, Exchange]]:
        end = int(before.partition("-")[0]) if before else self.count + 1
        listed = [one for one in self.kept.get(capture_id, []) if int(one[0].partition("-")[0]) < end]
        return listed[::-1][:limit]
