"""The processes of the local run with their environments, which hold only what each service may have."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sellergate_common.identity.tls import Identity

from sellergate_devstack.processes.ports import LOOPBACK, free_ports
from sellergate_devstack.processes.probes import grpc_serves, http_serves, redis_serves
from sellergate_devstack.processes.supervisor import Process
from sellergate_devstack.servers.redis import find_redis, redis_configuration, redis_url
from sellergate_devstack.settings import (
    SIMULATED,
    DevstackSettings,
    aws_environment,
    environment,
    interpreter,
    wraps_keys,
)
from sellergate_devstack.state import Demo, State

GRPC_SERVICES = ("account", "token", "iam", "gateway")
_GATEWAY = "SELLERGATE_INTERACTIVE_SHARE SELLERGATE_QUOTA_MODE SELLERGATE_DOCUMENT_HOSTS SELLERGATE_CATALOGUE"
_EDGE = (
    "SELLERGATE_JWKS_URL SELLERGATE_OAUTH_DONE_PAGE SELLERGATE_CORS_ORIGINS SELLERGATE_USER_RATE SELLERGATE_USER_BURST"
    " SELLERGATE_DROPIN_MAX_WAIT SELLERGATE_FORWARDED_ALLOW_IPS SELLERGATE_MAX_CONNECTIONS SELLERGATE_MAX_CONNECTIONS_OF_ADDRESS"
    " SELLERGATE_KEEP_ALIVE_SECONDS"
    " SELLERGATE_SIGN_IN_CLIENT_ID SELLERGATE_SIGN_IN_CLIENT_SECRET SELLERGATE_SIGN_IN_SCOPE SELLERGATE_SIGN_IN_TOKEN"
)
_COMMON = (
    "SELLERGATE_LOG_LEVEL SELLERGATE_BIND_HOST SELLERGATE_DRAIN_SECONDS SELLERGATE_METRICS_PORT SELLERGATE_HEALTH_PORT"
    " SELLERGATE_CONNECTION_AGE_SECONDS"
)
_OUTBOUND = (
    "SELLERGATE_OUTBOUND_PROXY SELLERGATE_OUTBOUND_NO_PROXY SELLERGATE_OUTBOUND_CA_BUNDLE"
    " HTTPS_PROXY HTTP_PROXY ALL_PROXY NO_PROXY https_proxy http_proxy all_proxy no_proxy"
)
_TRACES = "OTEL_EXPORTER_OTLP_ENDPOINT OTEL_TRACES_SAMPLER OTEL_TRACES_SAMPLER_ARG OTEL_BSP_SCHEDULE_DELAY"
_ROTATION = "SELLERGATE_WEBHOOK_SECRETS SELLERGATE_ROTATION_QUEUE_URL SELLERGATE_ROTATION_QUEUE_VISIBILITY_SECONDS"
_ACCOUNT = (
    "DATABASE_URL SELLERGATE_DATABASE_MIGRATE SELLERGATE_DATABASE_WAIT_SECONDS SELLERGATE_DATABASE_ALLOW_PLAIN SELLERGATE_ROW_MACS"
    " SELLERGATE_ACCOUNTS_PER_USER SELLERGATE_APPLICATIONS_PER_USER SELLERGATE_CLIENTS_PER_USER"
)
_COPIES = "SELLERGATE_ACCOUNT_COPIES"
_OPERATORS = "SELLERGATE_OPERATOR_USERS"
_REDIS = "SELLERGATE_REDIS_TLS_CA_FILE SELLERGATE_REDIS_TLS_CERT_FILE SELLERGATE_REDIS_TLS_KEY_FILE SELLERGATE_REDIS_ALLOW_PLAIN"
_CENTRALS = "SELLERGATE_SELLER_CENTRAL_URL SELLERGATE_VENDOR_CENTRAL_URL"
_BY_MARKETPLACE = "SELLERGATE_SELLER_CENTRAL_URLS SELLERGATE_VENDOR_CENTRAL_URLS"
_SPAPI = "SELLERGATE_SPAPI_ENDPOINT SELLERGATE_SPAPI_SANDBOX_ENDPOINT " + " ".join(
    f"SELLERGATE_SPAPI_{kind}_{region}" for kind in ("ENDPOINT", "SANDBOX_ENDPOINT") for region in ("NA", "EU", "FE")
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The processes to run. `redis` is None where the operator provides one."""

    settings: DevstackSettings
    state: State
    demo: Demo
    redis: Process | None
    redis_address: str
    operator: Identity

    def processes(self) -> list[Process]:
        """Return all processes in their start order."""
        simulator = [self._simulator()] if self.settings.wants_simulator else []
        services = [self._account(), self._token(), self._iam(), self._gateway(), self._edge()]
        return [*([self.redis] if self.redis else []), *simulator, *services]

    def port(self, name: str) -> int:
        """Return the port of a process."""
        port: int = getattr(self.settings, f"{name}_port")
        return port

    def target(self, name: str) -> str:
        """Return the gRPC target of a service."""
        return f"{LOOPBACK}:{self.port(name)}"

    @property
    def edge_url(self) -> str:
        """The edge's base URL."""
        return f"http://localhost:{self.port('edge')}"

    @property
    def callback_url(self) -> str:
        """The redirect URI, to which Amazon sends browsers back."""
        return f"{self.edge_url}/api/amazon/oauth/callback"

    @property
    def login_url(self) -> str:
        """The login URI, to which the Appstore sends sellers."""
        return f"{self.edge_url}/api/amazon/oauth/login"

    @property
    def simulator_url(self) -> str:
        """The simulator's base URL: LWA, STS and the control API."""
        return f"http://{LOOPBACK}:{self.settings.simulator_port}"

    def _simulator(self) -> Process:
        seed = self.state.write_private("simulator-seed.json", self.demo.seed(self.callback_url, self.login_url))
        ports = self.settings.simulator_ports
        own = {name: str(port) for name, port in ports.items()} | {"SELLERGATE_SIMULATOR_SEED_FILE": str(seed)}
        if self.settings.catalogue:
            own["SELLERGATE_SIMULATOR_CATALOGUE"] = str(self.settings.catalogue)
        healthy = http_serves(f"{self.simulator_url}/control/health")
        # Not through `environment`, which treats X_FILE as a secret's file: SEED_FILE is itself a file.
        chosen = environment({}, operators="SELLERGATE_SIMULATOR_DOCUMENTS_URL") | own
        return Process("simulator", self._command("simulator"), chosen, self._log("simulator"), healthy, ports)

    def _account(self) -> Process:
        own = {
            "SELLERGATE_SEALING_KEYS_FILE": self._key("sealing"),
            "SELLERGATE_INDEX_KEY_FILE": self._key("index"),
            "SELLERGATE_AUDIT_KEY_FILE": self._key("audit"),
            "SELLERGATE_STATE_DIR": str(self.state.folder),
            # Before the launcher itself gives up, so that the service's own sentence is what it shows.
            "SELLERGATE_DATABASE_WAIT_SECONDS": "20",
            "SELLERGATE_ROW_MACS": "require" if self.state.rows_have_macs else "adopt",
        }
        process = self._service("account", own, f"{_ACCOUNT} {_OPERATORS}")
        if wraps_keys(process.environment):
            process.environment |= aws_environment()
        return process

    def _token(self) -> Process:
        own = {"SELLERGATE_CACHE_KEYS_TOKEN_FILE": self._key("cache-token"), **self._targets("account")}
        if self.settings.wants_simulator:
            own["SELLERGATE_LWA_TOKEN_URL"] = f"{self.simulator_url}/auth/o2/token"
        own |= self._seller_central()
        process = self._service(
            "token",
            own,
            f"SELLERGATE_LWA_TOKEN_URL SELLERGATE_TOKEN_CALLERS {_COPIES} {_ROTATION} {_CENTRALS} {_BY_MARKETPLACE}",
        )
        if "SELLERGATE_ROTATION_QUEUE_URL" in process.environment:
            process.environment |= aws_environment()
        return process

    def _iam(self) -> Process:
        own = {
            "SELLERGATE_CACHE_KEYS_CREDENTIALS_FILE": self._key("cache-credentials"),
            **self._targets("account"),
            **self._spapi(),
        }
        process = self._service(
            "iam", own, f"{_SPAPI} {_COPIES} SELLERGATE_CREDENTIAL_CALLERS SELLERGATE_ROLE_ARN_ALLOW"
        )
        sts = self.settings.aws_endpoint_url_sts
        process.environment |= aws_environment()
        if self.settings.wants_simulator and not sts:
            process.environment |= {"AWS_ENDPOINT_URL_STS": self.simulator_url, **self._demo_keys()}
        elif sts and urlsplit(sts).hostname in (LOOPBACK, "localhost", "::1"):
            process.environment = {**self._demo_keys(), **process.environment}
        return process

    def _gateway(self) -> Process:
        own = {
            "SELLERGATE_CACHE_KEYS_TOKEN_FILE": self._key("cache-token"),
            "SELLERGATE_CACHE_KEYS_CREDENTIALS_FILE": self._key("cache-credentials"),
            **self._targets("account", "token", "iam"),
            **self._spapi(),
        }
        if self.settings.wants_simulator:
            own["SELLERGATE_DOCUMENT_HOSTS"] = self.simulator_url
        return self._service("gateway", own, f"{_SPAPI} {_GATEWAY} {_COPIES} {_OPERATORS} SELLERGATE_TOKEN_CALLERS")

    def _spapi(self) -> dict[str, str]:
        """Return the simulator's address as settings, if the run uses the simulator for SP-API."""
        if not self.settings.wants_simulator:
            return {}
        addresses = [f"http://{LOOPBACK}:{port}" for port in list(self.settings.simulator_ports.values())[1:]]
        sandbox = {"SELLERGATE_SPAPI_SANDBOX_ENDPOINT": addresses[3]}
        regions = zip(SIMULATED[:3], addresses[:3], strict=True)
        return {f"SELLERGATE_SPAPI_ENDPOINT_{region}": address for region, address in regions} | sandbox

    def _edge(self) -> Process:
        own = {
            "SELLERGATE_JWT_AUDIENCE": self.settings.jwt_audience,
            "SELLERGATE_JWT_ISSUER": self.settings.jwt_issuer,
            "SELLERGATE_JWT_SECRET_FILE": self._key("jwt"),
            "SELLERGATE_DROPIN_KEYS_FILE": self._key("dropin"),
            "SELLERGATE_PUBLIC_URL": self.edge_url,
            "SELLERGATE_OAUTH_LOGIN_PAGE": f"{self.edge_url}/",
            "SELLERGATE_OAUTH_DONE_PAGE": f"{self.edge_url}/",
            **self._targets("gateway", "account", "token"),
            **self._seller_central(),
        }
        process = self._service("edge", own, f"{_EDGE} {_OPERATORS} {_CENTRALS} {_BY_MARKETPLACE}")
        if "SELLERGATE_JWKS_URL" in process.environment:
            process.environment.pop("SELLERGATE_JWT_SECRET_FILE", None)
        process.healthy = http_serves(f"http://{LOOPBACK}:{self.port('edge')}/console/icon.svg")
        return process

    def _service(self, name: str, own: dict[str, str], operators: str) -> Process:
        files = self.state.authority.issue(name)
        setting, metrics = f"SELLERGATE_{name.upper()}_PORT", self._metrics_port(name)
        values = {
            setting: str(self.port(name)),
            "REDIS_URL": self.redis_address,
            "SELLERGATE_TLS_CA_FILE": str(files.ca),
            "SELLERGATE_TLS_CERT_FILE": str(files.certificate),
            "SELLERGATE_TLS_KEY_FILE": str(files.key),
            "SELLERGATE_LOG_LEVEL": self.settings.log_level,
            **({"SELLERGATE_METRICS_PORT": str(metrics)} if metrics else {}),
            **own,
        }
        chosen = environment(values, operators=f"{_COMMON} {_OUTBOUND} {_REDIS} {_TRACES} {operators}") | {
            setting: str(self.port(name))
        }
        healthy = grpc_serves(self.target(name), name, self.operator)
        ports = {setting: self.port(name)} | ({"SELLERGATE_METRICS_BASE_PORT": metrics} if metrics else {})
        return Process(name, self._command(name), chosen, self._log(name), healthy, ports)

    def _metrics_port(self, name: str) -> int:
        """Return the port of a service's metrics; 0: none."""
        base = self.settings.metrics_base_port
        return base + (*GRPC_SERVICES, "edge").index(name) if base else 0

    def _targets(self, *names: str) -> dict[str, str]:
        return {f"SELLERGATE_{name.upper()}_TARGET": self.target(name) for name in names}

    def _seller_central(self) -> dict[str, str]:
        """Return the settings of the consent pages: the simulator's, if it runs."""
        return dict.fromkeys(_CENTRALS.split(), self.simulator_url) if self.settings.wants_simulator else {}

    def _demo_keys(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.demo.aws_access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.demo.aws_secret_access_key.get_secret_value(),
            "AWS_REGION": "us-east-1",
        }

    def _key(self, name: str) -> str:
        return str(self.state.key_file(name))

    def _command(self, name: str) -> list[str]:
        return [interpreter(), "-m", f"sellergate_{name}"]

    def _log(self, name: str) -> Path:
        return self.state.folder / "logs" / f"{name}.log"


def make_plan(settings: DevstackSettings, state: State) -> Plan:
    """Return the plan, with a Redis unless the operator provides one."""
    files = state.authority.issue("operator")
    operator = Identity(files.ca.read_bytes(), files.certificate.read_bytes(), files.key.read_bytes())
    demo = state.demo(settings)
    if settings.redis_url is not None:
        return Plan(settings, state, demo, None, settings.redis_url.get_secret_value(), operator)
    (port,) = free_ports(1, besides=settings.ports)
    password = secrets.token_urlsafe(24)
    configuration = redis_configuration(state.folder / "redis", port, password)
    command = [str(find_redis()), str(configuration)]
    healthy = redis_serves(port, password)
    redis = Process(
        "redis", command, environment({}), state.folder / "logs" / "redis.log", healthy, {"REDIS_URL": port}
    )
    return Plan(settings, state, demo, redis, redis_url(port, password), operator)
