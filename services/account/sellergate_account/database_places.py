"""Which PostgreSQL may be reached without a checked certificate: one on this machine, and no other.

libpq takes what a URL does not name from the environment (PGHOST, PGHOSTADDR, PGSSLMODE) and from a service file (PGSERVICE), so
what is checked is what it would use.
"""

from collections.abc import Mapping
from typing import Any

from psycopg import pq
from sellergate_common.settings import is_loopback

# libpq's modes that look at the server's certificate; `require` encrypts without checking which server responds.
_CHECKED_TLS = frozenset({"verify-ca", "verify-full"})
ADVICE = (
    "must have ?sslmode=verify-full and sslrootcert=<file>, since it names another machine (or PGHOST, PGHOSTADDR or a service file"
    " does); SELLERGATE_DATABASE_ALLOW_PLAIN=true allows a connection without TLS"
)


def is_near_or_checked(given: Mapping[str, Any]) -> bool:
    """Return whether libpq reaches only this machine, or checks certificates, with the parameters that are `given`."""
    defaults = {one.keyword.decode(): (one.val or b"").decode() for one in pq.Conninfo.get_defaults()}
    named = {name: str(value) for name, value in given.items() if value}
    known = {**defaults, **named}
    if known.get("sslmode") in _CHECKED_TLS:
        return True
    # A service file that is named here may name any host.
    hosts = [host for name in ("host", "hostaddr") for host in known.get(name, "").split(",")]
    return "service" not in named and all(map(_is_near, hosts))


def _is_near(host: str) -> bool:
    """Return whether a host is this machine: loopback, a folder of Unix sockets, or none, which is the default folder."""
    if host.startswith(("/", "@")) or not host:
        return True
    name, _, port = host.rpartition(":")
    return is_loopback(host) or (port.isdigit() and is_loopback(name.strip("[]")))
