"""`sellergate doctor`: checks settings, certificates, keys, connections and stored data."""

from pathlib import Path

import typer

from sellergate_cli.operator import StateDir, complete
from sellergate_cli.options import Json
from sellergate_cli.output import print_rows

_COLUMNS = ("check", "outcome", "what")


def doctor(as_json: Json = False, state_dir: StateDir = None) -> None:
    """Check certificates, keys, clock, services and stored data, and print how to fix each problem.

    Keys are checked where SELLERGATE_SEALING_KEYS_FILE and similar variables are set, or in a local run's state directory; the
    clock where SELLERGATE_EDGE_URL is set, or beside a local run. Exit code 1 if a check fails.
    """
    found = complete(_found(state_dir))
    print_rows(found, _COLUMNS, as_json=as_json)
    if any(one["outcome"] == "FAILED" for one in found):
        raise typer.Exit(1)


async def _found(state_dir: Path | None) -> list[dict[str, str]]:
    from sellergate_cli.doctor import certificates, clock, connections, keys, stored  # noqa: PLC0415
    from sellergate_cli.settings import operator_settings  # noqa: PLC0415
    from sellergate_cli.suite import identity_of  # noqa: PLC0415

    settings = operator_settings(state_dir)
    identity = identity_of(settings)
    findings = [*certificates.examine(identity), *keys.examine(state_dir), clock.examine(state_dir)]
    reached = await connections.examine(settings, identity)
    findings += reached
    if not any(finding.outcome == "FAILED" for finding in reached):
        findings += await stored.examine(state_dir)
    return [finding.row() for finding in findings]
