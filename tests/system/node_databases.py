"""Databases of a former system, encrypted by Node: their rows, names and column types as Prisma writes them."""

import base64
import hashlib
import json
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sellergate_cli.legacy.naming import snake
from sellergate_cli.legacy.rows import COLUMNS
from sqlalchemy import create_engine, text

from tests.e2e.sellers import Seller

SCRIPT = Path(__file__).with_name("former.js")
START = datetime(2025, 1, 1, tzinfo=UTC)
USERS, ROWS_OF_USER = 19, 10
GOOD = USERS * ROWS_OF_USER
RAW = hashlib.sha256(b"former").hexdigest()[:32]
# By form: the operator's input, its options, and its name in the dry run.
KEYS: dict[str, tuple[str, list[str], str]] = {
    "hex": (RAW.encode().hex(), [], "64 hex digits"),
    "base64": (base64.b64encode(RAW.encode()).decode(), [], "base64"),
    "raw": (RAW, [], "32 characters"),
    "sha256": ("correct horse", ["--key-from", "sha256"], "SHA-256 of a passphrase"),
    "scrypt": ("correct horse", ["--key-from", "scrypt:salt"], "scrypt of a passphrase"),
    "pad": ("correct horse", ["--key-from", "pad"], "passphrase padded with 0 to 32 characters"),
}
LAYOUTS = {
    "hex:hex": "hex(iv):hex(ciphertext)",
    "base64:base64": "base64(iv):base64(ciphertext)",
    "base64url:base64url": "base64(iv):base64(ciphertext)",
    "hex:base64": "hex(iv):base64(ciphertext)",
    "hex": "hex(iv and ciphertext)",
    "base64": "base64(iv and ciphertext)",
    "json hex": "JSON of hex",
    "json base64": "JSON of base64",
}
# By naming: the table, its columns by the imported ones, and the options that name them.
NAMINGS: dict[str, tuple[str, dict[str, str], list[str]]] = {
    "prisma": ("AmazonAccount", {}, []),
    "mapped": ("amazon_accounts", {name: snake(name) for name in COLUMNS}, []),
    "own": ("Sellers", {"userId": "owner"}, ["--table", "Sellers", "--column", "owner=userId"]),
}
STORES = ("sqlite with milliseconds", "sqlite with text", "postgresql with text[]", "postgresql with jsonb")


@dataclass
class Former:
    """One former database. Each user has one LWA client, and accounts of the given sellers."""

    number: int
    layout: str
    key: str
    naming: str
    store: str
    sellers: list[Seller]
    active: dict[str, str] = field(default_factory=dict)
    """The seller of each active account."""
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def options(self) -> list[str]:
        return [*KEYS[self.key][1], *NAMINGS[self.naming][2]]

    @property
    def table(self) -> str:
        return NAMINGS[self.naming][0]

    def column(self, sellergate_name: str) -> str:
        return NAMINGS[self.naming][1].get(sellergate_name, sellergate_name)

    def rows(self) -> list[dict[str, Any]]:
        """Return 200 rows; each user's first is inactive, changed last, and has a secret that Amazon no longer accepts."""
        rows = [self._row(n) for n in range(GOOD)]
        self.active = {row["id"]: row["amazonSellerId"] for row in rows if row["isActive"]}
        again = {name: rows[1][name] for name in ("userId", "amazonSellerId", "marketplace")}
        user, secret, foreign = rows[1]["userId"], rows[1]["lwaClientSecret"]["encrypt"], {"foreign": "Atzr|foreign"}
        kinds: list[tuple[str, dict[str, Any]]] = [
            ("account.refresh_token", {"refreshToken": "Atzr|plaintext"}),
            ("account.refresh_token", {"refreshToken": None}),
            ("account.refresh_token", {"refreshToken": foreign}),
            ("account.refresh_token", {"refreshToken": "rubbish"}),
            ("account.lwa_client_secret", {"lwaClientSecret": secret}),
            ("account.lwa_client_secret", {"lwaClientSecret": {"encrypt": "third"}, "userId": user, "isActive": False}),
            ("account.marketplace", {"marketplace": "XX"}),
            ("account.region", {"region": "Frankfurt"}),
            ("account_id", {**again, "isActive": False, "updatedAt": START + timedelta(days=300)}),
            ("account.amazon_seller_id", {"amazonSellerId": "lower"}),
        ]
        for n, (name, changes) in enumerate(kinds, GOOD):
            rows.append({**self._row(n), "isActive": True, "updatedAt": START, **changes})
            self.broken[rows[-1]["id"]] = name
        return rows

    def _row(self, number: int) -> dict[str, Any]:
        user, place = divmod(number, ROWS_OF_USER)
        client, seller = self.sellers[user % USERS], self.sellers[number % len(self.sellers)]
        is_old = place == 0
        return {
            "id": f"n{self.number}-{number}",
            "userId": f"node-{self.number}-{user}",
            "amazonSellerId": seller.seller_id,
            "marketplace": "US",
            "lwaClientId": {"encrypt": client.client_id},
            "lwaClientSecret": {"encrypt": "amzn1.oa2-cs.v1.old" if is_old else client.client_secret},
            "refreshToken": {"encrypt": f"{seller.refresh_token}{user % USERS}"},
            "iamRoleArn": (None, "", client.role_arn)[number % 3],
            "marketplaceIds": ["ATVPDKIKX0DER"],
            "region": (None, "us-east-1")[number % 2],
            "isActive": not is_old,
            "createdAt": START,
            "updatedAt": START + timedelta(days=200 if is_old else number % 100),
        }

    def _stored(self, value: Any, number: int) -> Any:
        """Return a value as Prisma's connector stores it; Node encrypts it afterwards."""
        is_sqlite = self.store.startswith("sqlite")
        if isinstance(value, datetime):
            iso = value.isoformat().replace("+00:00", "Z" if is_sqlite and number % 2 else "+00:00")
            return int(value.timestamp() * 1000) if self.store.endswith("milliseconds") else iso
        if isinstance(value, bool) and is_sqlite:
            return int(value)
        if isinstance(value, list) and is_sqlite:
            return json.dumps(value) if number % 2 else ",".join(value)
        return value

    def document(self, file: Path | None) -> dict[str, Any]:
        """Return Node's input for a database."""
        types = {"isActive": "BOOLEAN", "createdAt": "DATETIME", "updatedAt": "DATETIME"}
        columns = [(self.column(name), types.get(name, "TEXT")) for name in COLUMNS]
        rows = [[self._stored(row[name], n) for name in COLUMNS] for n, row in enumerate(self.rows())]
        given = {"key": self.key, "given": KEYS[self.key][0], "layout": self.layout, "rows": rows}
        return given | {"table": self.table, "columns": columns, "file": str(file) if file else None}

    def write_sqlite(self, file: Path, document: dict[str, Any], rows: list[list[Any]]) -> None:
        """Write the rows that Node encrypted, where Node has no SQLite."""
        columns = ", ".join(f'"{name}" {kind}' for name, kind in document["columns"])
        with closing(sqlite3.connect(file)) as database, database:
            database.execute(f'CREATE TABLE "{self.table}" ({columns})')
            database.executemany(f'INSERT INTO "{self.table}" VALUES ({", ".join("?" * len(COLUMNS))})', rows)

    def write_postgres(self, url: str, rows: list[list[Any]]) -> None:
        """Write the rows that Node encrypted with Prisma's types of PostgreSQL."""
        is_json = self.store.endswith("jsonb")
        types = {"isActive": "BOOLEAN", "createdAt": "TIMESTAMP(3)", "updatedAt": "TIMESTAMP(3)"}
        types["marketplaceIds"] = "JSONB" if is_json else "TEXT[]"
        columns = ", ".join(f'"{self.column(name)}" {types.get(name, "TEXT")}' for name in COLUMNS)
        marks = ", ".join(f"CAST(:{name} AS {types[name]})" if name in types else f":{name}" for name in COLUMNS)
        values = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        for row in values:
            row["marketplaceIds"] = json.dumps(row["marketplaceIds"]) if is_json else row["marketplaceIds"]
        engine = create_engine(url)
        with engine.begin() as database:
            database.execute(text(f'CREATE TABLE "{self.table}" ({columns})'))
            database.execute(text(f'INSERT INTO "{self.table}" VALUES ({marks})'), values)
        engine.dispose()


def encrypted(documents: list[dict[str, Any]], modules: Path | None) -> list[list[list[Any]]]:
    """Let Node encrypt the rows and write the databases in files; return the other rows."""
    done = subprocess.run(
        ["node", str(SCRIPT)],
        input=json.dumps({"databases": documents}),
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **({"NODE_PATH": str(modules)} if modules else {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: list[list[list[Any]]] = json.loads(done.stdout)
    return found
