"""The state directory of the local run: keys, certificates and demo credentials; created once, readable only by its owner."""

import base64
import fcntl
import json
import os
import secrets
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr
from sellergate_amazon.marketplaces import marketplace_by_code

from sellergate_devstack.certificates import Authority
from sellergate_devstack.settings import DevstackSettings

DEMO_APPLICATION = "amzn1.sp.solution.demo"
RING_BYTES = 64
KEY_BYTES = 32
RINGS = ("sealing", "cache-token", "cache-credentials", "dropin")
KEYS = ("index", "audit", "jwt")


class StateInUse(Exception):
    """A state directory that another run uses."""


@dataclass(frozen=True, slots=True, repr=False)
class Demo:
    """The demo seller and its credentials."""

    user_id: str
    seller_id: str
    marketplace: str
    marketplace_id: str
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr
    role_arn: str
    aws_access_key_id: str
    aws_secret_access_key: SecretStr

    def seed(self, redirect_uri: str = "", login_uri: str = "") -> str:
        """Return the simulator's seed document: this seller, and another one that gives consent on request."""
        website = {"redirect_uris": [redirect_uri], "login_uri": login_uri} if redirect_uri else {}
        return json.dumps(
            {
                "applications": [
                    {
                        "application_id": DEMO_APPLICATION,
                        "client_id": self.client_id,
                        "client_secret": self.client_secret.get_secret_value(),
                        **website,
                    }
                ],
                "sellers": [
                    {
                        "selling_partner_id": self.seller_id,
                        "marketplace_ids": [self.marketplace_id],
                        "refresh_tokens": [
                            {"client_id": self.client_id, "refresh_token": self.refresh_token.get_secret_value()}
                        ],
                    },
                    {
                        "selling_partner_id": f"A{self.seller_id[:0:-1]}",
                        "marketplace_ids": [self.marketplace_id],
                    },
                ],
                "roles": [{"arn": self.role_arn, "external_id": None}],
                "aws_keys": [
                    {
                        "access_key_id": self.aws_access_key_id,
                        "secret_access_key": self.aws_secret_access_key.get_secret_value(),
                    }
                ],
            }
        )


class State:
    """A state directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("keys", "logs"):
            (folder / name).mkdir(exist_ok=True, mode=0o700)
        # mkdir does not change the mode of an existing directory, which other users may be able to read.
        for private in (folder, folder / "keys", folder / "logs"):
            private.chmod(0o700)
        for name in RINGS:
            self._once(self.key_file(name), _ring)
        for name in KEYS:
            self._once(self.key_file(name), lambda: _random(KEY_BYTES) + "\n")
        # An earlier release's database has rows without MACs, which are adopted once (`adopted`).
        self.rows_have_macs = self._rows_adopted.exists() or not (folder / "account.sqlite").exists()
        if self.rows_have_macs:
            self.adopted()
        self.authority = Authority(folder / "certificates")
        self._once(folder / "demo.json", lambda: json.dumps(_demo_secrets()))

    @property
    def _rows_adopted(self) -> Path:
        return self.folder / "rows-have-macs"

    def adopted(self) -> None:
        """Record that rows without a MAC are from now on not the account service's."""
        self._rows_adopted.touch(mode=0o600)

    def key_file(self, name: str) -> Path:
        """Return the file of a key or key ring."""
        return self.folder / "keys" / name

    def demo(self, settings: DevstackSettings) -> Demo:
        """Return the demo seller: the generated one, with the operator's settings applied."""
        return read_demo((self.folder / "demo.json").read_text(), settings)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the directory. The operating system releases the lock when the process ends.

        Raises StateInUse when another run holds it.
        """
        with (self.folder / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.seek(0)
                owner = lock.read().strip() or "unknown"
                raise StateInUse(
                    f"another run (pid {owner}) uses {self.folder}; stop it, or set SELLERGATE_STATE_DIR to another folder"
                ) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def write_private(self, name: str, content: str) -> Path:
        """Write a file atomically, readable only by its owner; return its path."""
        path, draft = self.folder / name, self.folder / f".{name}.draft"
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(content)
        draft.replace(path)
        return path

    def _once(self, path: Path, make: Callable[[], str]) -> None:
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(make())


def read_demo(text: str, settings: DevstackSettings) -> Demo:
    """Return the demo seller in demo.json, with the operator's settings applied."""
    made = json.loads(text)
    marketplace = marketplace_by_code(settings.demo_marketplace)
    if marketplace is None:
        raise ValueError("SELLERGATE_DEMO_MARKETPLACE: must be the code of a marketplace, as in US")
    return Demo(
        user_id=settings.demo_user,
        seller_id=settings.demo_seller_id or made["seller_id"],
        marketplace=marketplace.code,
        marketplace_id=marketplace.id,
        client_id=settings.demo_lwa_client_id or made["client_id"],
        client_secret=settings.demo_lwa_client_secret or SecretStr(made["client_secret"]),
        refresh_token=settings.demo_refresh_token or SecretStr(made["refresh_token"]),
        role_arn=settings.demo_role_arn,
        aws_access_key_id=made["aws_access_key_id"],
        aws_secret_access_key=SecretStr(made["aws_secret_access_key"]),
    )


def _ring() -> str:
    """Return a key ring with one key, whose ID has the form of `sellergate keys new`."""
    return f"{datetime.now(UTC):k%Y%m%d} {_random(RING_BYTES)}\n"


def _random(size: int) -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).decode().rstrip("=")


def _demo_secrets() -> dict[str, str]:
    capitals = string.ascii_uppercase + string.digits
    return {
        "seller_id": "A" + "".join(secrets.choice(capitals) for _ in range(13)),
        "client_id": f"amzn1.application-oa2-client.{secrets.token_hex(16)}",
        "client_secret": f"amzn1.oa2-cs.v1.{secrets.token_hex(32)}",
        "refresh_token": f"Atzr|{secrets.token_urlsafe(96)}",
        "aws_access_key_id": "AKIA" + "".join(secrets.choice(capitals) for _ in range(16)),
        "aws_secret_access_key": secrets.token_urlsafe(30),
    }
