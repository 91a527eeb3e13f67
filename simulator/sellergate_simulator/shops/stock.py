"""The stock of each seller: forty rows that are derived only from the selling partner ID."""

from dataclasses import dataclass
from functools import lru_cache
from random import Random

STOCK_ROWS = 40

_GOODS = (
    "Café kettle",
    "Desk lamp",
    "Travel mug",
    "Wool scarf",
    "Garden gloves",
    "Notebook A5",
    "USB-C cable",
    "Yoga mat",
)
_COLOURS = ("black", "blue", "green", "white", "red")


@dataclass(frozen=True, slots=True)
class StockRow:
    """One product of a seller, in all marketplaces."""

    sku: str
    asin: str
    fn_sku: str
    title: str
    price_cents: int
    fulfillable: int
    inbound: int
    reserved: int


@lru_cache(maxsize=1024)
def stock_of(selling_partner_id: str) -> tuple[StockRow, ...]:
    """Return a seller's stock; it is the same on every call."""
    random = Random(f"stock:{selling_partner_id}")  # noqa: S311  (made-up goods, not secrets)
    return tuple(_row(random, position) for position in range(STOCK_ROWS))


def _row(random: Random, position: int) -> StockRow:
    goods, colour = _GOODS[position % len(_GOODS)], _COLOURS[position // len(_GOODS)]
    code = "".join(random.choices("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", k=8))
    return StockRow(
        sku=f"{goods.split()[0].upper().replace('É', 'E')}-{colour.upper()}-{position:02d}",
        asin=f"B0{code}",
        fn_sku=f"X00{code[:7]}",
        title=f"{goods}, {colour}",
        price_cents=random.randrange(499, 9999),
        fulfillable=random.randrange(0, 250),
        inbound=random.choice((0, 0, 20, 60)),
        reserved=random.randrange(0, 12),
    )
