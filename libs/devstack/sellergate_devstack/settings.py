"""Settings of the local run: ports, external servers, and the demo seller. An operator's settings take precedence."""

import os
import sys
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from sellergate_common.crypto.wrapping import holds_wrapped
from sellergate_common.settings import PREFIX, Port, Settings, names

_DEMO_ROLE = "arn:aws:iam::123456789012:role/SellergateDemo"
SIMULATED = ("NA", "EU", "FE", "SANDBOX")
# The variables of the launcher's environment that every process gets, in addition to its own settings.
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "COVERAGE_PROCESS_START",
    "COVERAGE_PROCESS_CONFIG",
    "COVERAGE_FILE",
)


class DevstackSettings(Settings):
    """Ports and addresses of the local run."""

    edge_port: Port = 3001
    account_port: Port = 50051
    token_port: Port = 50052
    iam_port: Port = 50053
    gateway_port: Port = 50054
    simulator_port: Port = 3900
    simulator_na_port: Port | None = None
    simulator_eu_port: Port | None = None
    simulator_fe_port: Port | None = None
    simulator_sandbox_port: Port | None = None
    """Ports of SP-API in each region and of the sandbox; None: the four ports after `simulator_port`."""
    metrics_base_port: Annotated[int, Field(ge=0, le=65000)] = 0
    """The first of five consecutive ports for metrics of account, token, iam, gateway and edge; 0: no metrics."""
    simulator: Annotated[str, Field(pattern="^(on|off|auto)$")] = "auto"
    """auto: on unless an LWA URL and an SP-API endpoint are set."""
    catalogue: Path | None = None
    """The catalogue file for the gateway and the simulator; None: this release's."""
    redis_url: SecretStr | None = Field(default=None, validation_alias="REDIS_URL")
    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    lwa_token_url: str | None = None
    spapi_endpoint: str | None = None
    spapi_endpoint_na: str | None = None
    spapi_endpoint_eu: str | None = None
    spapi_endpoint_fe: str | None = None
    aws_endpoint_url_sts: str | None = Field(default=None, validation_alias="AWS_ENDPOINT_URL_STS")
    jwt_audience: str = "sellergate"
    jwt_issuer: str = "https://sellergate.local"
    demo_user: str = "demo-user"
    demo_seller_id: str | None = None
    demo_marketplace: str = "US"
    demo_lwa_client_id: str | None = None
    demo_lwa_client_secret: SecretStr | None = None
    demo_refresh_token: SecretStr | None = None
    demo_iam_role_arn: str | None = None

    @property
    def wants_simulator(self) -> bool:
        """Whether the simulator stands in for Amazon."""
        if self.simulator != "auto":
            return self.simulator == "on"
        regions = self.spapi_endpoint_na, self.spapi_endpoint_eu, self.spapi_endpoint_fe
        return not (self.lwa_token_url and (self.spapi_endpoint or any(regions)))

    @property
    def simulator_ports(self) -> dict[str, int]:
        """The simulator's ports by the setting of each: LWA, the three regions and the sandbox."""
        first = self.simulator_port
        given = (self.simulator_na_port, self.simulator_eu_port, self.simulator_fe_port, self.simulator_sandbox_port)
        chosen = (port or first + offset for offset, port in enumerate(given, start=1))
        names = (f"{PREFIX}SIMULATOR_{name}_PORT" for name in SIMULATED)
        return {f"{PREFIX}SIMULATOR_PORT": first, **dict(zip(names, chosen, strict=True))}

    @property
    def ports(self) -> set[int]:
        """Every port that the settings use."""
        services = {self.edge_port, self.account_port, self.token_port, self.iam_port, self.gateway_port}
        metrics = {self.metrics_base_port + index for index in range(5)}
        return services | metrics | set(self.simulator_ports.values())

    @property
    def demo_role_arn(self) -> str:
        """The demo seller's role: the configured one, or a generated one where an STS accepts it; empty: calls are not signed."""
        has_sts = self.wants_simulator or self.aws_endpoint_url_sts
        return self.demo_iam_role_arn or (_DEMO_ROLE if has_sts else "")

    @property
    def folder(self) -> Path:
        """The state directory, absolute."""
        return self.state_dir.absolute()


def environment(own: dict[str, str], *, operators: str = "") -> dict[str, str]:
    """Return the environment of a process: common variables, its `own` settings, and the `operators` variables by name.

    A variable that the operator set, also as X_FILE, takes precedence over a generated one.
    """
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    passed["PYTHONUNBUFFERED"] = "1"
    chosen = dict(own)
    for name in {*names(operators), *own}:
        plain, file = name.removesuffix("_FILE"), name.removesuffix("_FILE") + "_FILE"
        given = next((one for one in (plain, file) if one in os.environ), None)
        if given:
            chosen.pop(plain, None)
            chosen.pop(file, None)
            chosen[given] = os.environ[given]
    return {**passed, **chosen}


def aws_environment() -> dict[str, str]:
    """Return the operator's AWS_ variables, for the processes that need them."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


def wraps_keys(account: dict[str, str]) -> bool:
    """Return whether the account service needs AWS for wrapped keys; that service itself reports invalid values."""
    variables = [f"{PREFIX}{name}" for name in ("SEALING_KEYS", "INDEX_KEY", "AUDIT_KEY")]
    files = (Path(account[f"{name}_FILE"]) for name in variables if f"{name}_FILE" in account)
    given = [account.get(name, "") for name in variables]
    given += [file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()]
    return any(holds_wrapped(SecretStr(text)) for text in given)


def interpreter() -> str:
    """Return the path of this Python, which runs the processes."""
    return sys.executable
