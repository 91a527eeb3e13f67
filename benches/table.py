"""The one table of benches."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module

from benches.effort import Effort
from benches.results import Result


@dataclass(frozen=True, slots=True)
class Bench:
    """A bench: its module, whose `measure` does it, and its title."""

    module: str
    title: str

    @property
    def measure(self) -> Callable[[Effort], Awaitable[Result]]:
        """The function that measures."""
        found: Callable[[Effort], Awaitable[Result]] = import_module(self.module).measure
        return found


BENCHES = {
    "tokens": Bench("benches.bench_tokens", "A warm access token beside a bare echo"),
    "gateway": Bench("benches.bench_gateway", "A warm call beside a bare pass-through"),
    "streams": Bench("benches.bench_streams", "Calls of a stream beside unary calls"),
    "layers": Bench("benches.bench_layers", "Where the time of a warm call goes"),
    "edge": Bench("benches.bench_edge", "A call by REST beside the same call by gRPC"),
    "callers": Bench("benches.bench_callers", "From one caller to many"),
    "bodies": Bench("benches.bench_bodies", "Sizes of responses"),
    "sellers": Bench("benches.bench_sellers", "Many sellers in turn, and their first calls, on PostgreSQL"),
    "cold": Bench("benches.bench_cold", "First calls of sellers on SQLite"),
    "growth": Bench("benches.bench_growth", "Growth of the number of accounts"),
    "peers": Bench("benches.bench_peers", "Other libraries on the same upstream"),
    "start": Bench("benches.bench_start", "Seconds until a started process is healthy"),
}
