"""The network policies together permit exactly the connections in the table of docs/architecture.md."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.paths import ROOT

FOLDER = ROOT / "deploy/k8s/components/network-policies"
EKS = ROOT / "deploy/k8s/overlays/eks"
PORTS = {
    50051: "account",
    50052: "token",
    50053: "iam",
    50054: "gateway",
    5432: "postgres",
    6379: "redis",
    26379: "redis",
    443: "https",
}
GENERAL = {"deny", "names", "metrics", "traces"}
NAME = "app.kubernetes.io/name"

Policy = dict[str, Any]


def read(*files: str) -> list[Policy]:
    """Return the network policies of files of the component."""
    return [one for file in files for one in yaml.safe_load_all((FOLDER / file).read_text())]


COMPONENT = read("policies.yaml", "outside.yaml")


def eks() -> list[Policy]:
    """Return the policies of the component and of the eks overlay, with the overlay's patch."""
    patches = {one["metadata"]["name"]: one["spec"] for one in yaml.safe_load_all((EKS / "networks.yaml").read_text())}
    own = [one for one in yaml.safe_load_all((EKS / "ingress.yaml").read_text()) if one["kind"] == "NetworkPolicy"]
    named = [*COMPONENT, *own]
    assert set(patches) <= {one["metadata"]["name"] for one in named}
    return [one | {"spec": one["spec"] | patches.get(one["metadata"]["name"], {})} for one in named]


def table() -> dict[str, tuple[set[str], set[str]]]:
    page = (ROOT / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|([^|]*)\|$", page, re.MULTILINE)
    return {
        name: ({*filter(None, re.split(r"[, ]+", by))}, {*filter(None, re.split(r"[, ]+", to))})
        for name, by, to in rows
    }


def selected(policies: list[Policy], name: str, direction: str) -> Iterator[dict[str, Any]]:
    """Yield the rules of a direction of all policies that select the pods of a service."""
    for policy in policies:
        selector = policy["spec"]["podSelector"]
        names = {selector.get("matchLabels", {}).get(NAME)}
        for expression in selector.get("matchExpressions", ()):
            assert (expression["key"], expression["operator"]) == (NAME, "In")
            names |= set(expression["values"])
        if policy["metadata"]["name"] not in GENERAL and name in names:
            yield from policy["spec"].get(direction, ())


def peers(rules: Iterator[dict[str, Any]]) -> set[str]:
    """Return the peers whose connections the rules accept; addresses are those of a load balancer."""
    found = set()
    for rule in rules:
        for peer in rule["from"]:
            if "podSelector" in peer:
                found.add(peer["podSelector"]["matchLabels"][NAME])
            if "ipBlock" in peer:
                found.add("ingress")
            for label in peer.get("namespaceSelector", {}).get("matchLabels", {}):
                assert label.startswith("sellergate.io/")
                found.add(label.removeprefix("sellergate.io/"))
    return found


def targets(rules: Iterator[dict[str, Any]]) -> set[str]:
    """Return the permitted destinations; a named pod must be the one that listens on the port."""
    found = set()
    for rule in rules:
        (name,) = {PORTS[port["port"]] for port in rule["ports"]}
        named = [peer["podSelector"]["matchLabels"][NAME] for peer in rule["to"] if "podSelector" in peer]
        assert named in ([], [name])
        assert named or name in ("https", "postgres", "redis")
        found.add(name)
    return found


def test_the_policies_are_the_table() -> None:
    rows = table()
    assert set(rows) == {"account", "token", "iam", "gateway", "edge", "migrate", "cli"}
    for policies in (COMPONENT, eks()):
        for name, (reached_by, reaches) in rows.items():
            assert peers(selected(policies, name, "ingress")) == reached_by, name
            assert targets(selected(policies, name, "egress")) == reaches, name
            own = [one["spec"] for one in policies if one["metadata"]["name"] == name]
            assert [set(spec["policyTypes"]) for spec in own] == [{"Ingress", "Egress"}]


def test_addresses_outside_are_in_one_file_that_one_patch_replaces() -> None:
    outside = {one["metadata"]["name"] for one in read("outside.yaml")}
    assert {one["metadata"]["name"] for one in COMPONENT if "ipBlock" in str(one)} <= outside
    patched = {one["metadata"]["name"] for one in yaml.safe_load_all((EKS / "networks.yaml").read_text())}
    assert patched == outside | {"ingress-load-balancer"}


def test_monitoring_scrapes_metrics_and_is_sent_traces() -> None:
    named = {policy["metadata"]["name"]: policy["spec"] for policy in COMPONENT}
    monitoring = [{"namespaceSelector": {"matchLabels": {"sellergate.io/monitoring": "true"}}}]
    assert named["metrics"]["ingress"] == [{"from": monitoring, "ports": [{"port": "metrics"}]}]
    assert named["traces"]["egress"] == [{"to": monitoring, "ports": [{"port": 4318}]}]


def test_connections_that_no_policy_names_are_denied() -> None:
    assert COMPONENT[0]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
