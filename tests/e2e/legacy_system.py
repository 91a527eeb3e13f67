"""A realistic former system: accounts, some of them invalid, in SQLite or PostgreSQL, encrypted with one key."""

import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from sqlalchemy import create_engine, text

MARKETPLACES = {"US": "ATVPDKIKX0DER", "DE": "A1PA6795UKMFR9", "JP": "A1VC38T7YXB528", "GB": "A1F83G8C2ARO7P"}
ROLE = "arn:aws:iam::123456789012:role/SP-API-Role"
NOT_UTF8 = "not UTF-8"
START = datetime(2024, 1, 1, tzinfo=UTC)
_COLUMNS = (
    '"id" {id}, "userId" TEXT, "amazonSellerId" TEXT, "marketplace" TEXT, "lwaClientId" TEXT, "lwaClientSecret" TEXT,'
    ' "refreshToken" TEXT, "iamRoleArn" TEXT, "marketplaceIds" {list}, "region" TEXT, "isActive" {flag},'
    ' "createdAt" {time}, "updatedAt" {time}'
)


def encrypted(key: bytes, secret: str, iv_bytes: int = 16) -> str:
    iv, padder = os.urandom(16), PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(padder.update(secret.encode()) + padder.finalize()) + encryptor.finalize()
    return f"{iv[:iv_bytes].hex()}:{sealed.hex()}"


@dataclass
class LegacySystem:
    """A former system: its rows, and every secret in them."""

    users: int
    key: bytes = field(default_factory=lambda: os.urandom(32))
    rows: list[dict[str, Any]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)

    def add(self, **changes: Any) -> dict[str, Any]:
        """Add an account; `changes` replace the values of its columns."""
        number = len(self.rows)
        user, time = number % self.users, START + timedelta(minutes=number)
        code = list(MARKETPLACES)[number % 4]
        # One LWA client for each user; its secret changed after the user's first account.
        client_secret = f"amzn1.oa2-cs.v1.{user:04}{'old' if number < self.users else 'new'}{self._salt}"
        token = f"Atzr|{secrets.token_urlsafe(120)}"
        self.secrets += [token, client_secret]
        row = {
            "id": f"c{number:07}legacy",
            "userId": f"user-{user}",
            "amazonSellerId": f"A{number:013}",
            "marketplace": code,
            "lwaClientId": encrypted(self.key, f"amzn1.application-oa2-client.{user:04}{self._salt}"),
            "lwaClientSecret": encrypted(self.key, client_secret),
            "refreshToken": encrypted(self.key, token),
            "iamRoleArn": (None, "", ROLE)[number % 3],
            "marketplaceIds": json.dumps([MARKETPLACES[code]] if number % 5 else []),
            "region": (None, "eu-west-1")[number % 2],
            "isActive": int(number % 10 != 0),
            "createdAt": time,
            "updatedAt": time + timedelta(days=1),
        } | changes
        self.rows.append(row)
        return row

    @property
    def _salt(self) -> str:
        return self.key[:8].hex()

    def all_secrets(self) -> list[str]:
        """Return everything that must not appear anywhere: the encrypted values, and the key in each of its forms."""
        return [*self.secrets, f"{self._salt}", self.key.hex()]

    def add_broken(self) -> list[tuple[str, str]]:
        """Add rows that cannot be imported; return each row's ID and invalid field."""
        flipped = self.rows[0]["refreshToken"]
        flipped = flipped[:-2] + ("00" if flipped[-2:] != "00" else "01")
        # The same seller again, with an earlier time, so that the existing row precedes it.
        seller = {name: self.rows[-1][name] for name in ("userId", "amazonSellerId", "marketplace")}
        british = next(row for row in reversed(self.rows) if row["marketplace"] == "GB")
        again = {name: british[name] for name in ("userId", "amazonSellerId")}
        older = {"updatedAt": START}
        secret = lambda **given: encrypted(self.key, "amzn1.oa2-cs.v1.x", **given)  # noqa: E731
        kinds: list[tuple[str, dict[str, Any]]] = [
            ("account.refresh_token", {"refreshToken": "no ciphertext"}),
            ("account.refresh_token", {"refreshToken": flipped}),
            ("account.refresh_token", {"refreshToken": None}),
            ("account.refresh_token", {"refreshToken": encrypted(self.key, "")}),
            ("account.refresh_token", {"refreshToken": encrypted(self.key, "x" * 2049)}),
            ("account.lwa_client_secret", {"lwaClientSecret": secret(iv_bytes=12)}),
            ("account.lwa_client_secret", {"lwaClientSecret": secret()[:-6]}),
            ("account.lwa_client_id", {"lwaClientId": encrypted(os.urandom(32), "amzn1.application-oa2-client.x")}),
            ("account.lwa_client_id", {"lwaClientId": ""}),
            ("account.marketplace", {"marketplace": "XX"}),
            ("account.iam_role_arn", {"iamRoleArn": "arn:aws:iam::12:user/x"}),
            ("account.marketplace_ids[0]", {"marketplaceIds": '["NOWHERE"]'}),
            ("account.marketplace_ids", {"marketplaceIds": '{"US": 1}'}),
            ("account.marketplace_ids", {"marketplaceIds": "[1]"}),
            ("account.region", {"region": "Frankfurt"}),
            ("account.user_id", {"userId": "user\x1b[31m-1"}),
            ("account.user_id", {"userId": None}),
            ("account.user_id", {"userId": "u" * 129}),
            ("account.amazon_seller_id", {"amazonSellerId": "lower"}),
            ("account_id", {"id": "c" * 65}),
            ("account_id", {"id": "c/\x1b[31m1"}),
            ("account_id", {"id": ""}),
            ("account_id", {**seller, **older}),
            ("account_id", {**again, **older, "marketplace": "UK"}),
            ("account_id", {"id": self.rows[-1]["id"], "userId": self.rows[-1]["userId"], **older}),
            ("create_time", {"createdAt": datetime(9999, 12, 31, tzinfo=UTC)}),
            ("create_time", {"createdAt": datetime(1970, 1, 20, tzinfo=UTC)}),
            ("update_time", {"updatedAt": None}),
        ]
        return [(self.add(**changes)["id"], name) for name, changes in kinds]

    def add_broken_in_sqlite(self) -> list[tuple[str, str]]:
        """Add rows that only a database without types can hold."""
        kinds: list[tuple[str, dict[str, Any]]] = [
            ("account.marketplace_ids", {"marketplaceIds": '["A1PA'}),
            ("account.marketplace_ids", {"marketplaceIds": "[" * 3000}),
            ("account.marketplace_ids[0]", {"marketplaceIds": '["\\ud800"]'}),
            ("account.amazon_seller_id", {"amazonSellerId": NOT_UTF8}),
            ("account.user_id", {"userId": b"bytes"}),
            ("inactive", {"isActive": 7}),
            ("inactive", {"isActive": None}),
            ("create_time", {"createdAt": "the day before"}),
            ("create_time", {"createdAt": 10**17}),
            ("update_time", {"updatedAt": 1e300}),
        ]
        return [(self.add(**changes)["id"], name) for name, changes in kinds]

    def write_sqlite(self, file: Path) -> str:
        """Write the table as Prisma does in SQLite, half of the times as milliseconds and half as text."""

        def stored(value: Any, number: int) -> Any:
            if not isinstance(value, datetime):
                return value
            return int(value.timestamp() * 1000) if number % 2 else value.isoformat().replace("+00:00", "Z")

        columns = _COLUMNS.format(id="TEXT", list="TEXT", flag="BOOLEAN", time="DATETIME")
        with closing(sqlite3.connect(file)) as database, database:
            database.execute(f'CREATE TABLE "AmazonAccount" ({columns})')
            values = [[stored(value, n) for value in row.values()] for n, row in enumerate(self.rows)]
            database.executemany(f'INSERT INTO "AmazonAccount" VALUES ({", ".join("?" * 13)})', values)
            for name in self.rows[0]:
                database.execute(
                    f'UPDATE "AmazonAccount" SET "{name}" = CAST(x\'41ff41\' AS TEXT) WHERE "{name}" = ?', [NOT_UTF8]
                )
        return f"sqlite:///{file}"

    def write_postgres(self, url: str, *, lists: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write the table as Prisma does in PostgreSQL; `lists` is the type of marketplaceIds."""
        columns = _COLUMNS.format(id="TEXT PRIMARY KEY", list=lists, flag="BOOLEAN", time="TIMESTAMP(3)")
        cast = (
            "CAST(ARRAY(SELECT json_array_elements_text(CAST({} AS json))) AS TEXT[])"
            if "[]" in lists
            else "CAST({} AS " + lists + ")"
        )
        names = [cast.format(":" + name) if name == "marketplaceIds" else ":" + name for name in self.rows[0]]
        names = [f"CAST({name} AS TIMESTAMP)" if name.endswith("At") else name for name in names]
        engine = create_engine(url)
        with engine.begin() as database:
            database.execute(text(f'CREATE TABLE "AmazonAccount" ({columns})'))
            statement = text(f'INSERT INTO "AmazonAccount" VALUES ({", ".join(names)})')
            for row in rows:
                naive = {
                    name: value.replace(tzinfo=None).isoformat() if isinstance(value, datetime) else value
                    for name, value in row.items()
                }
                database.execute(statement, {**naive, "isActive": bool(row["isActive"])})
        engine.dispose()
