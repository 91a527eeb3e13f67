"""Real sets of Redis servers: one, a primary with a replica under three sentinels, a cluster of three primaries with replicas."""

import hashlib
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from sellergate_devstack.processes.children import tie
from sellergate_devstack.processes.ports import LOOPBACK, free_ports, is_taken
from sellergate_devstack.servers.redis import find_redis, redis_configuration

NAME = "sellergate"
# A cluster's nodes talk to each other on the port this much above their own.
_BUS = 10_000
_SLOTS = 16_384
START_SECONDS = 20.0


@dataclass(frozen=True)
class Users:
    """The users of the servers of a set: the unnamed one, or those of an ACL file."""

    passwords: Mapping[str, str] = field(default_factory=lambda: {"": secrets.token_urlsafe(12)})
    lines: tuple[str, ...] = ()

    @classmethod
    def of(cls, template: Path, folder: Path) -> "Users":
        """Fill a template of an ACL file with passwords made here."""
        text, passwords = template.read_text(), {}
        for placeholder in re.findall(r"#[A-Z]+_PASSWORD_SHA256", text):
            password = secrets.token_urlsafe(12)
            passwords[placeholder[1:].partition("_")[0].lower()] = password
            text = text.replace(placeholder, "#" + hashlib.sha256(password.encode()).hexdigest())
        file = folder / "users.acl"
        file.write_text(text)
        return cls(passwords, (f"aclfile {file}",))

    def login(self, role: str) -> tuple[str, str]:
        """Return user and password of a role; without an ACL file they are the same for every role."""
        user = role if role in self.passwords else ""
        return user, self.passwords[user]

    def following(self) -> tuple[str, ...]:
        """Return the configuration with which a replica logs in to its primary."""
        user, password = self.login("replica")
        return (*self.lines, *([f"masteruser {user}"] if user else []), f"masterauth {password}")


class Server:
    """One process of redis-server, also as a sentinel."""

    def __init__(self, folder: Path, port: int, login: tuple[str, str], *lines: str, sentinel: bool = False) -> None:
        self.port = port
        self._login = login
        self.log = folder / "redis.log"
        file = redis_configuration(folder, port, login[1])
        if sentinel:
            file.write_text(f"bind {LOOPBACK}\nport {port}\nrequirepass {login[1]}\ndir {folder}\n")
        with file.open("a") as configuration:
            configuration.write("\n".join(lines) + "\n")
        self._command = [find_redis(), file, *(["--sentinel"] if sentinel else [])]
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(tie(self._command), stdout=log, stderr=log, process_group=0)

    def execute(self, *command: str | int, login: tuple[str, str] | None = None) -> Any:
        """Send a command and return the response unchanged. Raises the server's error if it refuses."""
        user, password = login or self._login
        options: dict[str, Any] = {"decode_responses": True, "socket_timeout": 2, "retry": Retry(NoBackoff(), 0)}
        with Redis(port=self.port, username=user or None, password=password, **options) as client:
            return client.execute_command(*command)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


class Set:
    """Servers of one kind, and the URL that leads to them."""

    def __init__(
        self, kind: str, servers: list[Server], hosts: str, users: Users, watchers: list[Server] | None = None
    ) -> None:
        self.kind = kind
        self.servers = servers
        self.watchers = watchers or []
        self._hosts = hosts
        self.users = users

    @property
    def url(self) -> str:
        return self.url_of("operator")

    def url_of(self, role: str) -> str:
        user, password = self.users.login(role)
        return f"redis{self.kind}://{user}:{password}@{self._hosts}"

    def primary_of(self, key: str) -> Server:
        """Return the server that holds a key now, of those that run."""
        running = [server for server in self.servers if server.process.poll() is None]
        if self.kind != "+cluster":
            return next(server for server in running if server.execute("ROLE")[0] == "master")
        slot = int(running[0].execute("CLUSTER", "KEYSLOT", key))
        ports = [primary for begin, end, primary, _ in slots(running[0]) if begin <= slot <= end]
        return next(server for server in running if server.port in ports)


def itself(port: int) -> int:
    """Return the port unchanged, for a server without a proxy."""
    return port


@contextmanager
def single(folder: Path, front: Callable[[int], int] = itself, users: Users | None = None) -> Iterator[Set]:
    """One server. `front` starts a proxy before a server's port, and returns the port for clients."""
    (port,), users = free_ports(1), users or Users()
    with stopping() as servers:
        servers.append(Server(folder / "one", port, users.login("operator"), *users.lines))
        until(lambda: servers[0].execute("PING") is not None, servers)
        yield Set("", servers, f"{LOOPBACK}:{front(port)}/0", users)


@contextmanager
def sentinel(folder: Path, front: Callable[[int], int] = itself, users: Users | None = None) -> Iterator[Set]:
    """A primary and a replica, watched by three sentinels with a password of their own."""
    (first, second, *watchers), users, password = free_ports(5), users or Users(), secrets.token_urlsafe(12)
    login, (watcher, watching) = users.login("operator"), users.login("sentinel")
    own = (*users.following(), "repl-diskless-sync yes", "repl-diskless-sync-delay 0")
    with stopping() as servers, stopping() as sentinels:
        servers.append(Server(folder / "first", first, login, *own))
        servers.append(Server(folder / "second", second, login, *own, f"replicaof {LOOPBACK} {first}"))
        until(lambda: servers[1].execute("ROLE")[3] == "connected", servers)
        watch = (
            f"sentinel monitor {NAME} {LOOPBACK} {front(first)} 2",
            *([f"sentinel auth-user {NAME} {watcher}"] if watcher else []),
            f"sentinel auth-pass {NAME} {watching}",
            f"sentinel down-after-milliseconds {NAME} 1000",
            f"sentinel failover-timeout {NAME} 5000",
        )
        sentinels += [
            Server(folder / f"sentinel{port}", port, ("", password), *watch, sentinel=True) for port in watchers
        ]
        for one in sentinels:
            until(lambda one=one: len(one.execute("SENTINEL", "SENTINELS", NAME)) == len(watchers) - 1, sentinels)
            until(lambda one=one: len(one.execute("SENTINEL", "REPLICAS", NAME)) == 1, sentinels)
        hosts = ",".join(f"{LOOPBACK}:{front(port)}" for port in watchers)
        yield Set("+sentinel", servers, f"{hosts}/{NAME}?sentinel_password={password}", users, sentinels)


@contextmanager
def cluster(folder: Path, front: Callable[[int], int] = itself, users: Users | None = None) -> Iterator[Set]:
    """Three primaries with a replica each."""
    ports, users = ports_with_bus(6), users or Users()
    own = ("cluster-enabled yes", "cluster-node-timeout 1000", *users.following())
    own += ("repl-diskless-sync yes", "repl-diskless-sync-delay 0", "cluster-replica-validity-factor 0")
    with stopping() as servers:
        for port in ports:
            announced = (f"cluster-announce-port {front(port)}", f"cluster-announce-bus-port {port + _BUS}")
            servers.append(Server(folder / f"node{port}", port, users.login("operator"), *own, *announced))
        for server in servers:
            until(lambda one=server: one.execute("PING") is not None, servers)
        _join(servers)
        hosts = ",".join(f"{LOOPBACK}:{front(port)}" for port in ports[:3])
        yield Set("+cluster", servers, hosts, users)


def slots(server: Server) -> list[tuple[int, int, int, list[int]]]:
    """Return begin, end, and the ports of the primary and the replicas of each range of slots, as a node reports them."""
    return [
        (begin, end, primary[1], [one[1] for one in replicas])
        for begin, end, primary, *replicas in server.execute("CLUSTER", "SLOTS")
    ]


def _join(servers: list[Server]) -> None:
    """Make a cluster of separate nodes, as `redis-cli --cluster create` does."""
    primaries, replicas = servers[:3], servers[3:]
    for number, server in enumerate(servers):
        server.execute("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for number, server in enumerate(primaries):
        own = range(_SLOTS * number // 3, _SLOTS * (number + 1) // 3)
        server.execute("CLUSTER", "ADDSLOTS", *own)
    for server in servers[1:]:
        servers[0].execute("CLUSTER", "MEET", LOOPBACK, server.port)
    ids = [str(server.execute("CLUSTER", "MYID")) for server in primaries]
    for primary_id, server in zip(ids, replicas, strict=True):
        until(lambda one=server, wanted=primary_id: one.execute("CLUSTER", "REPLICATE", wanted) is not None, servers)
    for server in servers:
        until(lambda one=server: all(len(own) == 1 for *_, own in slots(one)) and len(slots(one)) == 3, servers)
        until(lambda one=server: "cluster_state:ok" in one.execute("CLUSTER", "INFO"), servers)
    for server in replicas:
        until(lambda one=server: one.execute("ROLE")[3] == "connected", servers)


def ports_with_bus(count: int) -> list[int]:
    """Return free ports whose counterparts of the cluster's bus are free too."""
    found: list[int] = []
    while len(found) < count:
        (port,) = free_ports(1)
        if port + _BUS < 2**16 and not is_taken(port + _BUS) and port not in found:
            found.append(port)
    return found


@contextmanager
def stopping() -> Iterator[list[Server]]:
    """A list whose servers are stopped at the end."""
    servers: list[Server] = []
    try:
        yield servers
    finally:
        for server in servers:
            server.stop()


def until(condition: Callable[[], bool], servers: list[Server]) -> None:
    """Wait for a condition; a refusal or a missing connection counts as false."""
    end = time.monotonic() + START_SECONDS
    while True:
        with suppress(RedisError, OSError):
            if condition():
                return
        if time.monotonic() > end:
            logs = "\n".join(server.log.read_text()[-800:] for server in servers)
            raise RuntimeError(f"the servers did not come up:\n{logs}")
        time.sleep(0.05)
