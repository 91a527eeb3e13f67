"""The network policies permit exactly the connections in the table of docs/architecture.md."""

import re
from typing import Any

import yaml

from tests.paths import ROOT

POLICIES = list(yaml.safe_load_all((ROOT / "deploy/k8s/components/network-policies/policies.yaml").read_text()))
PORTS = {
    50051: "account",
    50052: "token",
    50053: "iam",
    50054: "gateway",
    5432: "postgres",
    6379: "redis",
    443: "https",
}


def table() -> dict[str, tuple[set[str], set[str]]]:
    page = (ROOT / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|([^|]*)\|$", page, re.MULTILINE)
    return {
        name: ({*filter(None, re.split(r"[, ]+", by))}, {*filter(None, re.split(r"[, ]+", to))})
        for name, by, to in rows
    }


def peers(rules: list[dict[str, Any]]) -> set[str]:
    """Return the peers whose connections a policy accepts."""
    found = set()
    for rule in rules:
        for peer in rule["from"]:
            if "podSelector" in peer:
                found.add(peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"])
            (label,) = peer.get("namespaceSelector", {}).get("matchLabels", {"x": ""}) or ("x",)
            found |= {label.removeprefix("sellergate.io/")} if label.startswith("sellergate.io/") else set()
    return found


def targets(rules: list[dict[str, Any]]) -> set[str]:
    """Return the permitted destinations; the named pod must be the one that listens on the port."""
    found = set()
    for rule in rules:
        (port,) = rule["ports"]
        name = PORTS[port["port"]]
        named = [
            peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for peer in rule["to"] if "podSelector" in peer
        ]
        assert named in ([], [name])
        assert named or name == "https"
        found.add(name)
    return found


def test_each_policy_is_a_row_of_the_table() -> None:
    rows = table()
    named = {policy["metadata"]["name"]: policy["spec"] for policy in POLICIES}
    assert set(named) == set(rows) | {"deny", "names", "metrics", "traces"}
    for name, (reached_by, reaches) in rows.items():
        spec = named[name]
        assert spec["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": name}}
        assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
        assert peers(spec.get("ingress", [])) == reached_by, name
        assert targets(spec["egress"]) == reaches, name


def test_monitoring_scrapes_metrics_and_is_sent_traces() -> None:
    named = {policy["metadata"]["name"]: policy["spec"] for policy in POLICIES}
    monitoring = [{"namespaceSelector": {"matchLabels": {"sellergate.io/monitoring": "true"}}}]
    assert named["metrics"]["ingress"] == [{"from": monitoring, "ports": [{"port": "metrics"}]}]
    assert named["traces"]["egress"] == [{"to": monitoring, "ports": [{"port": 4318}]}]


def test_connections_that_no_policy_names_are_denied() -> None:
    assert POLICIES[0]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
