"""Writes down for programs and for people what runs where."""

import json
from collections.abc import Callable

from sellergate_devstack.processes.lines import tell_lines
from sellergate_devstack.suite import Suite

FILE = "run.json"


def write_report(suite: Suite, account_id: str, dropin: dict[str, str] | None) -> None:
    """Write run.json into the state directory, readable by its owner alone."""
    operator = suite.files("operator")
    document = {
        "edge": suite.edge,
        "simulator": suite.simulator,
        **{name: suite.target(name) for name in ("gateway", "account", "token", "iam")},
        "jwt": suite.jwt(suite.demo.user_id),
        "account_id": account_id,
        "ca_file": str(operator.ca),
        "client_cert_file": str(operator.certificate),
        "client_key_file": str(operator.key),
        **({"dropin": dropin} if dropin else {}),
        "pids": suite.pids,
    }
    suite.plan.state.write_private(FILE, json.dumps(document, indent=2) + "\n")


def remove_report(suite: Suite) -> None:
    """Remove run.json: nothing runs any more."""
    (suite.plan.state.folder / FILE).unlink(missing_ok=True)


def tell_addresses(suite: Suite, account_id: str, tell: Callable[[str], None]) -> None:
    """Tell where everything is, and the lines to type."""
    marketplace = suite.demo.marketplace_id
    tell("")
    tell(f"REST edge   {suite.edge}   (API documentation: {suite.edge}/docs)")
    tell("gRPC        " + "   ".join(f"{name} {suite.target(name)}" for name in ("gateway", "account", "token", "iam")))
    if suite.simulator:
        tell(f"simulator   {suite.simulator}/control/counters")
    tell(f"logs        {suite.plan.state.folder / 'logs'}")
    tell(f"run.json    {suite.plan.state.folder / FILE}   (addresses, certificates and a token, for programs)")
    tell("")
    tell_lines(suite.edge, suite.jwt(suite.demo.user_id), account_id, marketplace, tell)
    tell("")
    tell("Ctrl-C ends it.")
