"""Checks of the services' key files on this machine: format and permissions."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import SecretStr
from sellergate_common.crypto.sealing import parse_key, ring_entries, ring_text
from sellergate_common.crypto.wrapping import wrapped_ring_text
from sellergate_common.settings import PREFIX, Settings, read_settings

from sellergate_cli.doctor.finding import Finding

# The file's name in a local run's state directory, by the name of the variable.
RINGS = {
    "SEALING_KEYS": "sealing",
    "CACHE_KEYS_TOKEN": "cache-token",
    "CACHE_KEYS_CREDENTIALS": "cache-credentials",
    "DROPIN_KEYS": "dropin",
}
SINGLE = {"INDEX_KEY": "index", "AUDIT_KEY": "audit"}
_OTHERS = 0o077


class KeyFiles(Settings):
    """Paths of the services' key files."""

    sealing_keys_file: Path | None = None
    cache_keys_token_file: Path | None = None
    cache_keys_credentials_file: Path | None = None
    dropin_keys_file: Path | None = None
    index_key_file: Path | None = None
    audit_key_file: Path | None = None


def examine(state_dir: Path | None) -> Iterator[Finding]:
    """Check every key file on this machine."""
    files = read_settings(KeyFiles)
    here = False
    for name, local in {**RINGS, **SINGLE}.items():
        given: Path | None = getattr(files, f"{name.lower()}_file")
        file = given or (state_dir or files.state_dir) / "keys" / local
        if given or file.exists():
            here = True
            yield _file(name, file)
    if not here:
        yield Finding(
            "keys",
            "SKIPPED",
            f"no key files on this machine; set {PREFIX}SEALING_KEYS_FILE and similar where services run",
        )


def _file(name: str, file: Path) -> Finding:
    check = f"keys {PREFIX}{name}"
    try:
        text = SecretStr(file.read_text(encoding="utf-8").strip())
        if os.stat(file).st_mode & _OTHERS:  # noqa: PTH116  (the same)
            return Finding(check, "FAILED", f"other users can read {file}; run chmod 600 {file}")
        return Finding(check, "OK", _findings(name)(text))
    except OSError as error:
        return Finding(check, "FAILED", f"cannot read {file}: {error.strerror}")
    except ValueError as error:
        return Finding(check, "FAILED", str(error))


def _findings(name: str) -> Callable[[SecretStr], str]:
    """Return a function that validates a key and describes it without showing it."""

    def ring(text: SecretStr) -> str:
        (wrapped_ring_text if name == "SEALING_KEYS" else ring_text)(text)
        kids = list(ring_entries(text.get_secret_value()))
        return f"{kids[0]} encrypts; {len(kids) - 1} older keys decrypt"

    def single(text: SecretStr) -> str:
        if not text.get_secret_value().startswith("kms:"):
            parse_key(text.get_secret_value(), PREFIX + name)
        return "one key"

    return ring if name in RINGS else single
