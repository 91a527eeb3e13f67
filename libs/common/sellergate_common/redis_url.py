"""The address of the shared Redis in one URL: a single server, a set under Sentinel, or a Cluster; each plain or over TLS.

| URL | topology |
|---|---|
| redis://[user:password@]host[:6379][/0] | one server |
| redis+sentinel://[user:password@]host[:26379],host…/name[?db=0&sentinel_user=…&sentinel_password=…] | the primary called `name` |
| redis+cluster://[user:password@]host[:6379],host… | a Cluster; some of its nodes, or a name that leads to all |

`rediss` in place of `redis` speaks TLS, with the sentinels as well. User and passwords are percent-encoded.
"""

import ssl
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from pydantic import SecretStr

_SHAPES = (
    "redis://host, redis+sentinel://host,host/name or redis+cluster://host,host, or one of these with rediss for TLS"
)
_PARAMETERS = ("db", "sentinel_user", "sentinel_password")
_LAST_PORT = 65535

Node = tuple[str, int]


class Kind(Enum):
    """The kind of hosts in a URL; the value is part of the scheme."""

    SINGLE = ""
    SENTINEL = "+sentinel"
    CLUSTER = "+cluster"


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password; None where the server requires none."""

    user: str | None = None
    password: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """A parsed URL. `nodes` are the server, the sentinels, or some nodes of the cluster; `name` is the primary's."""

    kind: Kind
    tls: bool
    nodes: tuple[Node, ...]
    login: Login
    name: str
    db: int
    sentinel_login: Login


@dataclass(frozen=True, slots=True)
class RedisTls:
    """PEM files for TLS: trusted authorities (None: the system's), and the client certificate where Redis requires one.

    `allow_plain`: whether a connection to another machine may lack TLS.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    allow_plain: bool = False

    def check(self, place: RedisUrl) -> None:
        """Raise ValueError when the files do not match, are not PEM, or would be unused."""
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError(
                "must be set both or none: SELLERGATE_REDIS_TLS_CERT_FILE and SELLERGATE_REDIS_TLS_KEY_FILE"
            )
        if (self.ca_file or self.cert_file) and not place.tls:
            raise ValueError("must begin with rediss: REDIS_URL, where SELLERGATE_REDIS_TLS_…_FILE is set")
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except OSError as error:
            raise ValueError("must hold PEM and match each other: the files of SELLERGATE_REDIS_TLS_…_FILE") from error


def parse_redis_url(url: SecretStr) -> RedisUrl:
    """Parse a URL. Raises ValueError that states the rule and never the input, which may hold a password anywhere."""
    scheme, _, rest = url.get_secret_value().partition("://")
    kinds = {f"redis{tls}{kind.value}": (kind, bool(tls)) for kind in Kind for tls in ("", "s")}
    if scheme not in kinds or not rest:
        raise ValueError(f"must be {_SHAPES}")
    kind, tls = kinds[scheme]
    rest, _, query = rest.partition("?")
    rest, _, path = rest.partition("/")
    login, _, hosts = rest.rpartition("@")
    nodes = tuple(_node(host, 26379 if kind is Kind.SENTINEL else 6379) for host in hosts.split(","))
    given = _parameters(query, kind)
    sentinel_login = Login(given.get("sentinel_user"), _secret(given.get("sentinel_password")))
    if kind is Kind.SINGLE and len(nodes) > 1:
        raise ValueError("must name one host; several are for redis+sentinel or redis+cluster")
    if kind is Kind.SENTINEL and not path:
        raise ValueError("must end in /name, the sentinels' name of the primary")
    db = given.get("db") or ("" if kind is Kind.SENTINEL else path) or "0"
    return RedisUrl(kind, tls, nodes, _login(login), unquote(path), _database(db, kind), sentinel_login)


def redis_url_text(url: SecretStr) -> SecretStr:
    """Return a URL after a check. Raises ValueError as parse_redis_url does."""
    parse_redis_url(url)
    return url


def _node(text: str, port: int) -> Node:
    host, bracket, after = text.removeprefix("[").partition("]")
    if not bracket:
        host, _, after = text.partition(":")
    number = after.removeprefix(":")
    if not host or (number and not (number.isascii() and number.isdigit() and 0 < int(number) <= _LAST_PORT)):
        raise ValueError("must name hosts as host or host:port, separated by commas, with an IPv6 address in []")
    return host, int(number or port)


def _login(text: str) -> Login:
    user, _, password = text.partition(":")
    if user and not password:
        raise ValueError("must have a password where it has a user")
    return Login(unquote(user) or None, _secret(unquote(password)))


def _secret(text: str | None) -> SecretStr | None:
    return SecretStr(text) if text else None


def _parameters(query: str, kind: Kind) -> dict[str, str]:
    given = dict(parse_qsl(query, keep_blank_values=True))
    known = _PARAMETERS if kind is Kind.SENTINEL else _PARAMETERS[:1]
    if any(name not in known for name in given):
        raise ValueError(f"must have no parameters but {', '.join(known)}")
    if "sentinel_user" in given and not given.get("sentinel_password"):
        raise ValueError("must have sentinel_password where it has sentinel_user")
    return given


def _database(text: str, kind: Kind) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("must have a number for its database")
    if kind is Kind.CLUSTER and int(text):
        raise ValueError("must not choose a database; a cluster has 0 only")
    return int(text)
