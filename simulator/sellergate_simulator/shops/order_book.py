"""The orders of each seller: thirty over the ten days before the simulator's start, with their states."""

from dataclasses import dataclass, field, replace
from random import Random

from sellergate_amazon.marketplaces import Region, marketplace_by_id

from sellergate_simulator.shops.countries import country_of
from sellergate_simulator.shops.stock import StockRow, stock_of
from sellergate_simulator.state import Seller

ORDERS_PER_SELLER = 30
_SPAN_SECONDS = 10 * 86_400
_FIRST_NAMES = ("Alex", "Maria", "Chen", "Fatima", "Jonas", "Priya", "Olga", "Samuel")
_LAST_NAMES = ("Weber", "Garcia", "Tanaka", "Novak", "Okafor", "Rossi", "Larsen", "Patel")


@dataclass(frozen=True, slots=True)
class OrderItem:
    """A quantity of one product."""

    item_id: str
    product: StockRow
    quantity: int


@dataclass(frozen=True, slots=True)
class Order:
    """An order; the modules of the two Orders APIs convert it into their forms."""

    order_id: str
    marketplace_id: str
    purchased_at: float
    updated_at: float
    status: str
    """"pending", "unshipped", "shipped" or "canceled"."""
    by_amazon: bool
    items: tuple[OrderItem, ...]
    buyer_name: str
    buyer_email: str
    street: str
    phone: str

    @property
    def currency(self) -> str:
        """The currency of its marketplace."""
        return country_of(self.marketplace_id).currency

    @property
    def total(self) -> str:
        """The total amount in Amazon's form."""
        return amount(sum(item.product.price_cents * item.quantity for item in self.items))


@dataclass(slots=True)
class OrderBook:
    """All orders of all sellers, created on the first request."""

    started_at: float
    """The latest time of an order, in seconds since 1970."""
    _books: dict[str, dict[str, Order]] = field(default_factory=dict)

    def orders(self, seller: Seller, region: Region | None = None) -> list[Order]:
        """Return a seller's orders in a region (None: all), the oldest first."""
        found = [order for order in self._book(seller).values() if region is None or _region(order) is region]
        return sorted(found, key=lambda order: (order.purchased_at, order.order_id))

    def order(self, seller: Seller, region: Region | None, order_id: str) -> Order | None:
        """Return one order of a seller in a region."""
        order = self._book(seller).get(order_id)
        return order if order and (region is None or _region(order) is region) else None

    def ship(self, seller: Seller, order: Order, now: float) -> None:
        """Record that the seller shipped an order."""
        self._book(seller)[order.order_id] = replace(order, status="shipped", updated_at=now)

    def _book(self, seller: Seller) -> dict[str, Order]:
        # A changed list of marketplaces (a new seed) gives other orders.
        key = f"{seller.selling_partner_id} {seller.marketplace_ids}"
        if key not in self._books:
            self._books[key] = {order.order_id: order for order in _make_orders(seller, self.started_at)}
        return self._books[key]


def amount(cents: int) -> str:
    """Return 1999 as "19.99"."""
    return f"{cents // 100}.{cents % 100:02d}"


def _region(order: Order) -> Region | None:
    marketplace = marketplace_by_id(order.marketplace_id)
    return marketplace.region if marketplace else None


def _make_orders(seller: Seller, started_at: float) -> list[Order]:
    random = Random(f"orders:{seller.selling_partner_id}")  # noqa: S311  (made-up orders, not secrets)
    return [_make_order(random, seller, started_at, position) for position in range(ORDERS_PER_SELLER)]


def _make_order(random: Random, seller: Seller, started_at: float, position: int) -> Order:
    age = _SPAN_SECONDS * (position + random.uniform(0.1, 0.9)) / ORDERS_PER_SELLER
    purchased_at = float(int(started_at - age))
    status = "pending" if position < 2 else random.choice(("unshipped", "shipped", "shipped", "canceled"))  # noqa: PLR2004
    number = "".join(random.choices("0123456789", k=14))
    name = f"{random.choice(_FIRST_NAMES)} {random.choice(_LAST_NAMES)}"
    products = random.sample(stock_of(seller.selling_partner_id), k=random.choice((1, 1, 1, 2, 3)))
    return Order(
        order_id=f"{position + 101}-{number[:7]}-{number[7:]}",
        # The first orders are distributed over the marketplaces, so that each has some.
        marketplace_id=seller.marketplace_ids[position % len(seller.marketplace_ids)],
        purchased_at=purchased_at,
        updated_at=float(int(purchased_at + min(age * 0.5, 7200))),
        status=status,
        by_amazon=random.random() < 0.5,  # noqa: PLR2004
        items=tuple(
            OrderItem(f"{random.randrange(10**13, 10**14)}", product, random.choice((1, 1, 2, 3)))
            for product in products
        ),
        buyer_name=name,
        buyer_email=f"{number[:10]}@marketplace.amazon.com",
        street=f"{random.randrange(1, 200)} Harbour Street",
        phone=f"+1 555 01{random.randrange(10, 99)}",
    )
