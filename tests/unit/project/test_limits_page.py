"""docs/limits.md agrees with the code on every bound of the public port."""

import importlib
import re
from typing import Any

from pydantic import BaseModel
from sellergate_edge.listening import bounds
from sellergate_edge.listening.connections import Proxies

from tests.paths import ROOT

ROWS = re.findall(r"^\| .+ \| ([0-9.]+) \| `([\w.]+)` \|$", (ROOT / "docs" / "limits.md").read_text(), re.MULTILINE)


def found(dotted: str) -> Any:
    """Return a constant of a module, or the default of a setting."""
    place, _, name = dotted.rpartition(".")
    try:
        return getattr(importlib.import_module(place), name)
    except ModuleNotFoundError:
        model = found(place)
        assert issubclass(model, BaseModel)
        return model.model_fields[name].default


def test_every_row_is_as_the_code() -> None:
    assert len(ROWS) > 30
    assert {name: float(number) for number, name in ROWS} == {name: float(found(name)) for _, name in ROWS}


def test_no_bound_of_the_door_is_left_out() -> None:
    named = {name for _, name in ROWS}
    own = {f"{bounds.__name__}.{name}" for name in vars(bounds) if name.isupper()}
    assert own
    assert own <= named


def test_production_distinguishes_clients_behind_its_ingress() -> None:
    for overlay, proxy in (("production", "10.1.2.3"), ("eks", "10.0.17.3")):
        settings = (ROOT / "deploy/k8s/overlays" / overlay / "settings.env").read_text()
        (listed,) = re.findall(r"^SELLERGATE_FORWARDED_ALLOW_IPS=(.+)$", settings, re.MULTILINE)
        assert listed != "*"
        assert proxy in Proxies(listed)
        assert "203.0.113.7" not in Proxies(listed)
