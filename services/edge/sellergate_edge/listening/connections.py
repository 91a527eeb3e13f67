"""Open connections, counted in total and by address."""

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from sellergate_edge.limits.guesses import site_of

Network = IPv4Network | IPv6Network


class Proxies:
    """Addresses of trusted proxies, each of which forwards the requests of many clients."""

    def __init__(self, listed: str) -> None:
        self._everything = listed.strip() == "*"
        names = [] if self._everything else [name.strip() for name in listed.split(",") if name.strip()]
        self._networks: list[Network] = [ip_network(name) for name in names]

    def __contains__(self, address: str) -> bool:
        if self._everything:
            return True
        try:
            given = ip_address(address)
        except ValueError:
            return False
        return any(given in network for network in self._networks)


class Connections:
    """The open connections of a listener: at most `most`, and at most `most_of_address` of an address that is no trusted proxy."""

    def __init__(self, most: int, most_of_address: int, proxies: Proxies) -> None:
        self._most = most
        self._most_of_address = most_of_address
        self.proxies = proxies
        self._by_site: Counter[str] = Counter()
        self.open = 0
        self.refused = 0

    def acquire(self, address: str) -> Callable[[], None] | None:
        """Count a connection and return the function that counts its end, once. Return None if there are too many."""
        site = "" if address in self.proxies else site_of(address)
        if self.open >= self._most or (site and self._by_site[site] >= self._most_of_address):
            self.refused += 1
            return None
        self.open += 1
        self._by_site[site] += 1
        is_open = True

        def release() -> None:
            nonlocal is_open
            if is_open:
                is_open = False
                self.open -= 1
                self._by_site[site] -= 1
                if not self._by_site[site]:
                    del self._by_site[site]

        return release
