"""Counts of connections."""

import pytest
from sellergate_edge.listening.connections import Connections, Proxies


def test_an_address_is_limited_and_a_trusted_proxy_is_not() -> None:
    connections = Connections(10, 3, Proxies("10.0.0.0/8, 192.0.2.7"))
    leaves = [connections.acquire("192.0.2.1") for _ in range(5)]
    assert [leave is not None for leave in leaves] == [True] * 3 + [False] * 2
    assert connections.acquire("192.0.2.2") is not None
    assert [connections.acquire("10.1.2.3") is not None for _ in range(7)] == [True] * 6 + [False]
    assert (connections.open, connections.refused) == (10, 3)
    for leave in leaves[:3]:
        assert leave is not None
        leave()
        leave()
    assert connections.open == 7
    assert connections.acquire("192.0.2.1") is not None


def test_an_ipv6_customer_is_one_address() -> None:
    connections = Connections(10, 2, Proxies(""))
    assert [connections.acquire(f"2001:db8::{n}") is not None for n in range(3)] == [True, True, False]
    assert connections.acquire("2001:db8:0:1::1") is not None


def test_proxies_are_addresses_and_networks() -> None:
    assert "192.0.2.1" in Proxies("*")
    assert "2001:db8::1" in Proxies("2001:db8::/32")
    assert "192.0.2.1" not in Proxies("")
    assert "" not in Proxies("10.0.0.0/8")
    with pytest.raises(ValueError, match="proxy"):
        Proxies("proxy.example")
