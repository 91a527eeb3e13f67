"""The simulator's settings: ports, the seed file, the log level."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sellergate_amazon.operations import BUNDLED

PORT_NAMES = ("main", "na", "eu", "fe", "sandbox")


class Settings(BaseSettings):
    """Settings of the simulator, each from SELLERGATE_SIMULATOR_<NAME>.

    Raises pydantic's ValidationError with all invalid settings at once.
    """

    model_config = SettingsConfigDict(env_prefix="SELLERGATE_SIMULATOR_")

    host: str = Field(default="127.0.0.1", description="Address to listen on. Plain http: keep it on loopback.")
    port: int = Field(
        default=3900, ge=0, le=65535, description="LWA, STS, documents and control. 0: all five are ephemeral."
    )
    na_port: int | None = Field(default=None, ge=0, le=65535, description="SP-API of North America; default PORT+1.")
    eu_port: int | None = Field(default=None, ge=0, le=65535, description="SP-API of Europe; default PORT+2.")
    fe_port: int | None = Field(default=None, ge=0, le=65535, description="SP-API of the Far East; default PORT+3.")
    sandbox_port: int | None = Field(default=None, ge=0, le=65535, description="The sandbox; default PORT+4.")
    documents_url: str = Field(
        default="", pattern="^(https?://[^/?#]+)?$", description="Base URL of documents; default: PORT of this host."
    )
    seed_file: Path | None = Field(default=None, description="JSON document that fills the state at start.")
    catalogue: Path = Field(default=BUNDLED, description="The file of SP-API's operations; that of this release.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug: a line per request."
    )

    def ports(self) -> dict[str, int]:
        """Return the port of each name in PORT_NAMES; 0 lets the system choose."""
        chosen = (self.port, self.na_port, self.eu_port, self.fe_port, self.sandbox_port)
        return {
            name: port if port is not None else (self.port + offset if self.port else 0)
            for offset, (name, port) in enumerate(zip(PORT_NAMES, chosen, strict=True))
        }
