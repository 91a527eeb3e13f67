"""Check of the clock: tokens and signatures are valid for minutes, so a wrong clock makes them fail."""

import http.client
import time
from pathlib import Path
from urllib.parse import urlsplit

from sellergate_amazon import parsing
from sellergate_common.settings import Settings, SettingsError, read_settings

from sellergate_cli.doctor.finding import Finding
from sellergate_cli.settings import RUN_FILE, read_run

MOST_SECONDS = 30.0
_TIMEOUT = 5.0


class EdgeUrl(Settings):
    """The edge's address."""

    edge_url: str = ""


def examine(state_dir: Path | None) -> Finding:
    """Compare this machine's clock with the edge's."""
    settings = read_settings(EdgeUrl)
    url = settings.edge_url or _of_run((state_dir or settings.state_dir) / RUN_FILE)
    if not url:
        return Finding("clock", "SKIPPED", "set SELLERGATE_EDGE_URL to compare with the edge's clock")
    try:
        apart = abs(_edges_time(url) - time.time())
    except (OSError, ValueError, OverflowError, http.client.HTTPException) as error:
        return Finding(
            "clock", "FAILED", f"cannot read the time from {url} ({type(error).__name__}); check that the edge runs"
        )
    if apart > MOST_SECONDS:
        return Finding("clock", "FAILED", f"differs from the edge's by {apart:.0f} s; synchronise both with NTP")
    return Finding("clock", "OK", f"differs from the edge's by {apart:.0f} s")


def _edges_time(url: str) -> float:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/console/icon.svg")
        return parsing.http_date(connection.getresponse().getheader("date") or "").timestamp()
    finally:
        connection.close()


def _of_run(file: Path) -> str:
    try:
        return str(read_run(file)["edge"])
    except (OSError, ValueError, KeyError, SettingsError):
        return ""
