"""The one-shot `init` of docker-compose.yml: it creates keys, certificates, passwords and the demo seller.

Existing files stay; a later run creates missing ones. Each service's folder is a volume that only this service mounts.
"""

import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from sellergate_common.settings import Settings, load_settings

from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.state import State

OWNER = 10001
# The keys that each service gets, by the name of its setting.
KEYS: Mapping[str, Mapping[str, str]] = {
    "account": {"sealing-keys": "sealing", "index-key": "index", "audit-key": "audit"},
    "token": {"cache-keys-token": "cache-token"},
    "iam": {"cache-keys-credentials": "cache-credentials"},
    "gateway": {"cache-keys-token": "cache-token", "cache-keys-credentials": "cache-credentials"},
    "edge": {"jwt-secret": "jwt", "dropin-keys": "dropin"},
}
REDIS_USERS = ("account", "token", "iam", "gateway", "edge", "operator", "replica", "sentinel")


class ContainerFiles(Settings):
    """The settings of `init`: the folder with each container's folder, the ACL template, and the edge's public URL."""

    output: Path = Path("/out")
    acl_template: Path = Path("/etc/sellergate/users-7.acl")
    public_url: str = "http://localhost:3001"


class Writer:
    """A writer of files into containers' folders, readable only by the container's user."""

    def __init__(self, output: Path) -> None:
        self._output = output

    def write(self, name: str, file: str, content: str | bytes, *, owner: int = OWNER, mode: int = 0o400) -> None:
        """Write a file into a container's folder atomically."""
        folder = self._output / name
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{file}.draft"
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_bytes(content.encode() if isinstance(content, str) else content)
        draft.chmod(mode)
        if os.geteuid() == 0:
            os.chown(draft, owner, owner)
            os.chown(folder, owner, owner)
        draft.replace(folder / file)


def main() -> None:
    """Write all files."""
    settings = load_settings(ContainerFiles)
    state = State(settings.output / "state")
    writer = Writer(settings.output)
    _certificates(writer, state)
    for name, keys in KEYS.items():
        for file, key in keys.items():
            writer.write(name, file, state.key_file(key).read_bytes())
    _redis(writer, state, settings)
    _postgres(writer, state)
    demo = state.demo(DevstackSettings(state_dir=settings.output / "state", simulator="on"))
    callbacks = (f"{settings.public_url}/api/amazon/oauth/{end}" for end in ("callback", "login"))
    writer.write("simulator", "seed.json", demo.seed(*callbacks))
    key = demo.aws_secret_access_key.get_secret_value()
    profile = f"[default]\naws_access_key_id = {demo.aws_access_key_id}\naws_secret_access_key = {key}\n"
    writer.write("iam", "aws-credentials", profile)
    writer.write("walk", "jwt-secret", state.key_file("jwt").read_bytes())
    writer.write("walk", "demo.json", (state.folder / "demo.json").read_bytes())


def _certificates(writer: Writer, state: State) -> None:
    """Write each service's identity, and an operator's for the demo."""
    for name in (*KEYS, "walk"):
        files = state.authority.issue("operator" if name == "walk" else name)
        for file, path in (("ca.pem", files.ca), ("cert.pem", files.certificate), ("key.pem", files.key)):
            writer.write(name, file, path.read_bytes())


def _redis(writer: Writer, state: State, settings: ContainerFiles) -> None:
    acl = settings.acl_template.read_text()
    for user in REDIS_USERS:
        password = _password(state, f"redis-{user}")
        acl = acl.replace(f"#{user.upper()}_PASSWORD_SHA256", f"#{hashlib.sha256(password.encode()).hexdigest()}")
        if user in KEYS:
            writer.write(user, "redis-url", f"redis://{user}:{quote(password, safe='')}@redis:6379/0")
    # Only digests of the passwords; Redis reads them under its own user.
    writer.write("redis", "users.acl", acl, mode=0o444)


def _postgres(writer: Writer, state: State) -> None:
    password = _password(state, "postgres")
    writer.write("postgres", "password", password, owner=0)
    url = f"postgresql://sellergate:{quote(password, safe='')}@postgres:5432/sellergate"
    writer.write("account", "database-url", url)


def _password(state: State, name: str) -> str:
    file = state.folder / f"{name}.password"
    if not file.exists():
        state.write_private(file.name, secrets.token_urlsafe(24))
    return file.read_text()


if __name__ == "__main__":
    main()
