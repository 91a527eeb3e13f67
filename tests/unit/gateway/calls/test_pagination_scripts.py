"""Lists of generated pages, each after generated responses that are no page: a caller gets all items or an error."""

import asyncio
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sellergate_common.blocking.threads import Threads
from sellergate_common.errors import Reason, SellergateError
from sellergate_gateway.calls.pagination import LARGE_BYTES, Pages
from sellergate_gateway.calls.retries import MAX_ATTEMPTS
from sellergate_gateway.spapi.http import AmazonResponse
from sellergate_gateway.spapi.request import SpApiCall

from tests.fakes.gateway import BUSY, CATALOGUE, HTML, Step, World, amazon_response
from tests.unit.gateway.calls.test_outcomes import LOST
from tests.unit.gateway.calls.test_pagination import NO_PAGES, ORDERS

THREADS = Threads("pages", 1)


@dataclass(frozen=True)
class Script:
    """A page of a list: its number of items, the bytes of each, and what Amazon responds before it."""

    items: int
    item_bytes: int
    is_packed: bool
    before: tuple[Step, ...]
    cuts: tuple[float, ...]
    """Further responses before it: the page itself, cut after these shares of its bytes."""

    def steps(self, number: int, token: str | None) -> list[Step]:
        """Return Amazon's responses to the requests for this page."""
        items = [{"AmazonOrderId": f"{number}-{item}", "x": "x" * self.item_bytes} for item in range(self.items)]
        whole = json.dumps({"payload": {"Orders": items, **({"NextToken": token} if token else {})}}).encode()
        body = gzip.compress(whole, 1) if self.is_packed else whole
        headers = (("content-encoding", "gzip"),) if self.is_packed else ()
        cut = [AmazonResponse(200, headers, body[: int(share * len(body))]) for share in self.cuts]
        return [*self.before, *cut, AmazonResponse(200, headers, body)]


SCRIPTS = st.lists(
    st.builds(
        Script,
        items=st.integers(0, 3),
        item_bytes=st.sampled_from([1, 1_000, LARGE_BYTES // 3, LARGE_BYTES]),
        is_packed=st.booleans(),
        before=st.lists(st.sampled_from([*NO_PAGES, LOST, BUSY, HTML, amazon_response(408)]), max_size=2).map(tuple),
        cuts=st.lists(st.floats(0, 0.999), max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=5,
)


def read(scripts: Sequence[Script]) -> tuple[list[str], SellergateError | None]:
    """Read a list of these pages. Return the ids of all items that the caller got, and the error that ended it."""
    steps = list[Step]()
    for number, script in enumerate(scripts):
        steps += script.steps(number, f"t{number}" if number + 1 < len(scripts) else None)
    world, found = World(steps=steps), list[str]()

    async def follow() -> None:
        pages = Pages(world.calls, CATALOGUE, THREADS.run)
        async for result in pages.follow(SpApiCall("a", "GET", ORDERS), "", 0):
            body = result.response.body
            page = json.loads(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)
            found.extend(order["AmazonOrderId"] for order in page["payload"]["Orders"])

    try:
        asyncio.run(follow())
    except SellergateError as error:
        return found, error
    return found, None


@settings(max_examples=80, deadline=None, derandomize=True)
@example([Script(2, LARGE_BYTES, True, (), ()), Script(0, 1, False, (), (0.5,)), Script(3, 1, False, (LOST,), (0.0,))])
@given(SCRIPTS)
def test_a_caller_gets_all_items_or_an_error(scripts: list[Script]) -> None:
    found, error = read(scripts)
    pages = [[f"{number}-{item}" for item in range(script.items)] for number, script in enumerate(scripts)]
    if error is None:
        assert found == [item for page in pages for item in page]
    else:
        assert error.reason is Reason.AMAZON_UNAVAILABLE
        assert found in [[item for page in pages[:count] for item in page] for count in range(len(pages))]
    retries = [len(script.before) + len(script.cuts) for script in scripts]
    # One account's budget of 20 retries is not used up by five pages.
    assert (error is None) is (max(retries) < MAX_ATTEMPTS)
