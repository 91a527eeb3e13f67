"""The suite's addresses for an operator: from the client library's settings, or from the run file of a local run."""

import json
import os
import stat
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sellergate_client.settings import ClientSettings
from sellergate_common.settings import Settings, SettingsError, read_settings

RUN_FILE = "run.json"
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class _Given(Settings):
    """Presence of the client library's variables, whose values the library reads itself."""

    account_target: str | None = None
    tls_ca_file: str | None = None
    tls_cert_file: str | None = None
    tls_key_file: str | None = None

    @property
    def anything(self) -> bool:
        """Whether the environment names the suite or a certificate."""
        return any((self.account_target, self.tls_ca_file, self.tls_cert_file, self.tls_key_file))


def operator_settings(state_dir: Path | None) -> ClientSettings:
    """Return the services' addresses and the operator's certificate files. Raises SettingsError.

    A given state directory takes precedence, then the environment, then the default state directory.
    """
    given = read_settings(_Given)
    if state_dir is None and given.anything:
        return read_settings(ClientSettings)
    file = (state_dir or given.state_dir) / RUN_FILE
    if not file.exists():
        how_to = "set SELLERGATE_ACCOUNT_TARGET and SELLERGATE_TLS_CA_FILE, …_CERT_FILE and …_KEY_FILE of an operator"
        raise SettingsError(
            [f"{file} does not exist: start a local run, name its state directory with --state-dir, or {how_to}"]
        )
    try:
        run = read_run(file)
        return ClientSettings(
            account_target=run["account"],
            gateway_target=run["gateway"],
            token_target=run["token"],
            tls_ca_file=run["ca_file"],
            tls_cert_file=run["client_cert_file"],
            tls_key_file=run["client_key_file"],
        )
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        raise SettingsError([f"{file} is not a valid run file; start the local run again"]) from None


def read_run(file: Path) -> dict[str, Any]:
    """Return the content of a local run's file. No other user of this machine may be able to write it.

    Raises SettingsError if another user can, and OSError or ValueError if the file cannot be read.
    """
    for place in (file, file.resolve().parent):
        known = place.stat()
        if known.st_uid != os.geteuid() or known.st_mode & _WRITABLE_BY_OTHERS:
            raise SettingsError(
                [f"{place} is not trusted: it must be yours, and writable by no other user (chmod go-w {place})"]
            )
    run = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(run, dict):
        raise ValueError("the file is not a JSON object")  # noqa: TRY004  (as for text that is not JSON)
    return run
