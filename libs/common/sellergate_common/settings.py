"""Settings from the environment: one class for each service, all errors reported at once, secrets also from files."""

import os
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, NoReturn, Self, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, FilePath, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from sellergate_common.redis_url import RedisTls, parse_redis_url, redis_url_text

PREFIX = "SELLERGATE_"

Port = Annotated[int, Field(ge=1, le=65535)]


class SecretFiles(PydanticBaseSettingsSource):
    """A settings source that reads the secret of variable X from the file that X_FILE names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the content of the file, without the newline at its end."""
        variable = variable_of(field, field_name)
        path = os.environ.get(variable + "_FILE")
        if not path or field.annotation not in (SecretStr, SecretStr | None):
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\n"), field_name, False
        except OSError as error:
            raise SettingsError([f"{variable}_FILE: cannot be read: {error.strerror}"]) from error
        except UnicodeDecodeError:
            raise SettingsError([f"{variable}_FILE: must be a text file in UTF-8"]) from None

    def __call__(self) -> dict[str, Any]:
        """Return the values of all secrets in files."""
        found: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            value, _, _ = self.get_field_value(field, name)
            if value is not None:
                found[_alias(field) or name] = value
        return found


class Settings(BaseSettings):
    """The settings of every process. Unknown SELLERGATE_ variables belong to other processes and are ignored."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", hide_input_in_errors=True, populate_by_name=True, env_ignore_empty=True
    )

    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"
    state_dir: Path = Path(".sellergate")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (the library's signature)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources by precedence: arguments, environment, files."""
        return init_settings, env_settings, SecretFiles(settings_cls)


class TlsSettings(Settings):
    """A process's certificate and the authority that it trusts, as PEM files."""

    tls_ca_file: FilePath
    tls_cert_file: FilePath
    tls_key_file: FilePath


class ServerSettings(TlsSettings):
    """The settings of every gRPC server."""

    bind_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    health_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """The port of grpc.health.v1 in plain text, for probes without TLS (such as those of Kubernetes); 0: none."""
    drain_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    connection_age_seconds: Annotated[float, Field(ge=1, le=86400)] = 300.0
    """Seconds after which a client must reconnect, so that it finds new replicas and presents its newest certificate."""


class CopySettings(Settings):
    """How many copies of another service's values are kept."""

    account_copies: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Accounts of which this process keeps a copy; docs/capacity.md says how much memory they take."""


class CacheSettings(Settings):
    """The address of Redis. `redis_url` may hold a password; the files are for a URL with TLS."""

    redis_url: Annotated[SecretStr, AfterValidator(redis_url_text)] = Field(validation_alias="REDIS_URL")
    redis_tls_ca_file: FilePath | None = None
    redis_tls_cert_file: FilePath | None = None
    redis_tls_key_file: FilePath | None = None
    redis_allow_plain: bool = False
    """Whether the connection to a Redis on another machine may lack TLS."""

    @property
    def redis_tls(self) -> RedisTls:
        """The files for a URL with TLS, and whether a URL without TLS may name another machine."""
        files = self.redis_tls_ca_file, self.redis_tls_cert_file, self.redis_tls_key_file
        return RedisTls(*files, allow_plain=self.redis_allow_plain)

    @model_validator(mode="after")
    def _tls_fits(self) -> Self:
        place = parse_redis_url(self.redis_url)
        self.redis_tls.check(place)
        is_near = all(is_loopback(host) for host, _ in place.nodes)
        if not (place.tls or is_near or self.redis_allow_plain):
            raise ValueError(
                "REDIS_URL: must begin with rediss, since it names another machine; SELLERGATE_REDIS_ALLOW_PLAIN=true"
                " allows a connection without TLS"
            )
        return self


def url_parts(url: str) -> SplitResult:
    """Return the parts of a URL. Raises ValueError that shows no part of it, since it may hold a password anywhere."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("must be a URL whose host and port are valid") from None
    return parts


def secure_url(url: str) -> str:
    """Check a URL that receives secrets: https, or http on this machine; without a query. Raises ValueError."""
    if url_parts(url).query:
        raise ValueError("must be a URL with a host, and without user, query or fragment")
    return secure_url_with_query(url)


def secure_url_with_query(url: str) -> str:
    """Check a URL as secure_url does, but allow a query. Raises ValueError."""
    parts = url_parts(url)
    if not parts.hostname or parts.username or parts.fragment:
        raise ValueError("must be a URL with a host, and without user or fragment")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname)):
        return url
    raise ValueError("must be an https URL; http is accepted for loopback addresses only")


def names(text: str) -> frozenset[str]:
    """Read a list of names, separated by commas or spaces."""
    return frozenset(text.replace(",", " ").split())


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class SettingsError(Exception):
    """Invalid settings; `problems` has one sentence for each fault."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


_Settings = TypeVar("_Settings", bound=Settings)


def load_settings(kind: type[_Settings]) -> _Settings:
    """Read the settings, or print each fault on its own line and exit with code 2."""
    try:
        return read_settings(kind)
    except SettingsError as error:
        refuse(error)


def refuse(error: SettingsError) -> NoReturn:
    """Print each fault on its own line and exit with code 2."""
    for problem in error.problems:
        sys.stderr.write(f"{problem}\n")
    raise SystemExit(2) from None


def read_settings(kind: type[_Settings]) -> _Settings:
    """Read the settings. Raises SettingsError that names every invalid variable, and never a value."""
    try:
        return kind()
    except ValidationError as error:
        raise SettingsError([_sentence(kind, fault) for fault in error.errors(include_input=False)]) from None


def variable_of(field: FieldInfo, name: str) -> str:
    """Return the environment variable of a field."""
    return _alias(field) or PREFIX + name.upper()


def _alias(field: FieldInfo) -> str | None:
    return field.validation_alias if isinstance(field.validation_alias, str) else None


def _sentence(kind: type[Settings], fault: Any) -> str:
    """Return a sentence that names the invalid variable and the fault."""
    place = str(fault["loc"][0]) if fault["loc"] else ""
    message = str(fault["msg"]).removeprefix("Value error, ")
    for name, field in kind.model_fields.items():
        if place in (name, _alias(field)):
            how_to = f"; {field.description}" if field.description else ""
            missing = f"must be set{how_to}" if fault["type"] == "missing" else message
            return f"{variable_of(field, name)}: {missing}"
    return message
