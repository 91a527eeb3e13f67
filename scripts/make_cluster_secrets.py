"""Writes new secrets of a cluster: a JSON document for each service, and Redis' users with the digests of their passwords.

DATABASE_URL=postgresql://… REDIS_HOST=host[:port] python3 scripts/make_cluster_secrets.py FOLDER
"""

import base64
import hashlib
import json
import os
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

ACL = Path(__file__).resolve().parent.parent / "deploy" / "redis" / "users-7.acl"
SERVICES = ("account", "token", "iam", "gateway", "edge")
OTHER_USERS = ("replica", "sentinel", "operator")
USAGE = "DATABASE_URL=postgresql://… REDIS_HOST=host[:port] python3 scripts/make_cluster_secrets.py FOLDER"


def key(size: int) -> str:
    """Return a random key in base64url."""
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).decode().rstrip("=")


def ring() -> str:
    """Return a ring with one key, as `sellergate keys new` does."""
    return f"{datetime.now(UTC):k%Y%m%d} {key(64)}"


def documents(database_url: str, redis_host: str, passwords: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return the secret of each service. Rings that two services share are equal."""
    tokens, credentials = ring(), ring()
    own = {
        "account": {"sealing-keys": ring(), "index-key": key(32), "audit-key": key(32), "database-url": database_url},
        "token": {"cache-keys-token": tokens},
        "iam": {"cache-keys-credentials": credentials},
        "gateway": {"cache-keys-token": tokens, "cache-keys-credentials": credentials},
        "edge": {"jwt-secret": key(32), "dropin-keys": ring()},
    }
    urls = {name: f"rediss://{name}:{quote(passwords[name], safe='')}@{redis_host}/0" for name in SERVICES}
    return {name: {**values, "redis-url": urls[name]} for name, values in own.items()}


def users(acl: str, passwords: dict[str, str]) -> str:
    """Return Redis' ACL file with the digest of each user's password."""
    for name, password in passwords.items():
        acl = acl.replace(f"#{name.upper()}_PASSWORD_SHA256", f"#{hashlib.sha256(password.encode()).hexdigest()}")
    return acl


def main(folder: Path) -> None:
    """Write the files into a new folder that only its owner can read."""
    names = ("DATABASE_URL", "REDIS_HOST")
    if missing := [name for name in names if not os.environ.get(name)]:
        raise SystemExit(f"Set {' and '.join(missing)}, as in: {USAGE}")
    passwords = {name: key(24) for name in (*SERVICES, *OTHER_USERS)}
    try:
        folder.mkdir(parents=True, mode=0o700)
    except FileExistsError:
        raise SystemExit(f"{folder} exists; name a new folder, so that no secret is overwritten") from None
    made = documents(os.environ["DATABASE_URL"], os.environ["REDIS_HOST"], passwords)
    files = {f"{name}.json": json.dumps(document, indent=2) + "\n" for name, document in made.items()}
    files["users.acl"] = users(ACL.read_text(), passwords)
    files["redis-operator-password"] = passwords["operator"] + "\n"
    for name, content in files.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(content)
    sys.stdout.write(f"{len(files)} files in {folder}: store them, then delete the folder.\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004
        raise SystemExit(f"Usage: {USAGE}")
    main(Path(sys.argv[1]))
