"""deploy/k8s: renders offline, is valid for three versions of Kubernetes, and follows the house rules."""

import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from sellergate_amazon.operations import BUNDLED

from tests.paths import ROOT
from tests.system.conftest import Need

OVERLAYS = ROOT / "deploy" / "k8s" / "overlays"
VERSIONS = ("1.35", "1.36", "1.37")
# Kinds of other projects: the fields that are used here, and the required ones.
OTHERS = {
    "Issuer": {"selfSigned", "ca"},
    "Certificate": {
        "isCA",
        "commonName",
        "secretName",
        "duration",
        "renewBefore",
        "uris",
        "dnsNames",
        "usages",
        "privateKey",
        "issuerRef",
    },
    "ExternalSecret": {"refreshInterval", "secretStoreRef", "target", "dataFrom"},
    "PodMonitor": {"selector", "podMetricsEndpoints"},
    "PrometheusRule": {"groups"},
    "SecretStore": {"provider"},
}
SERVICES = {"account", "token", "iam", "gateway", "edge"}


def rendered(overlay: str, overlays: Path = OVERLAYS) -> list[dict[str, Any]]:
    command = ["kubectl", "kustomize", str(overlays / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [one for one in yaml.safe_load_all(done.stdout) if one]


@pytest.fixture(params=["dev", "production", "eks"])
def objects(need: Need, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    need.program("kubectl")
    return rendered(request.param)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_core_object_is_valid(objects: list[dict[str, Any]], version: str) -> None:
    core = [one for one in objects if one["kind"] not in OTHERS]
    assert len(core) > 30
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for one in core:
            kubernetes_validate.validate(one, version, strict=True)


def test_resources_of_other_projects_have_only_known_fields(objects: list[dict[str, Any]]) -> None:
    for one in objects:
        if one["kind"] in OTHERS:
            assert "." in one["apiVersion"].partition("/")[0]
            assert set(one["spec"]) <= OTHERS[one["kind"]], one["metadata"]["name"]


def pods(objects: list[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for one in objects:
        if one["kind"] in ("Deployment", "Job", "StatefulSet"):
            name = one["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]
            yield one["kind"], name, one["spec"]["template"]["spec"]


def faults(kind: str, pod: dict[str, Any]) -> list[str]:
    """Yield the violations of the house rules in a pod."""
    own = pod["securityContext"]
    rules = {
        "may be root": not own.get("runAsNonRoot") or own.get("runAsUser", 0) == 0,
        "has no seccomp profile": own.get("seccompProfile") != {"type": "RuntimeDefault"},
        "has a token of the API server": pod.get("automountServiceAccountToken") is not False,
    }
    of_containers = [fault for container in pod["containers"] for fault in of_container(kind, container)]
    return [fault for fault, there in rules.items() if there] + of_containers


def of_container(kind: str, container: dict[str, Any]) -> list[str]:
    own, resources, tag = container["securityContext"], container["resources"], container["image"].rpartition(":")[2]
    plain = [one["name"] for one in container.get("env", ()) if "value" in one and not one["name"].endswith("_FILE")]
    rules = {
        "may gain privileges": own.get("allowPrivilegeEscalation") is not False,
        "keeps capabilities": own.get("capabilities") != {"drop": ["ALL"]},
        "can write its image": own.get("readOnlyRootFilesystem") is not True,
        "has no tag of its own": "/" in tag or tag in ("latest", container["image"]),
        "has no limit of memory": "memory" not in resources.get("limits", {}),
        "has no requests": set(resources["requests"]) != {"cpu", "memory"},
        "has no probes": kind != "Job" and not {"readinessProbe", "livenessProbe"} <= set(container),
        "has a secret in its environment": any("SECRET" in name or "KEYS" in name for name in plain),
    }
    return [fault for fault, there in rules.items() if there]


def test_the_manifests_follow_the_house_rules(objects: list[dict[str, Any]]) -> None:
    seen = {name: faults(kind, pod) for kind, name, pod in pods(objects)}
    assert set(seen) >= SERVICES | {"migrate"}
    assert {name: found for name, found in seen.items() if found} == {}


def test_the_house_rules_find_each_fault(need: Need) -> None:
    need.program("kubectl")
    (pod,) = [pod for _, name, pod in pods(rendered("dev")) if name == "gateway"]
    del pod["containers"][0]["resources"]["limits"], pod["containers"][0]["readinessProbe"]
    pod["containers"][0]["image"] = "gateway:latest"
    pod["securityContext"]["runAsUser"] = 0
    assert len(faults("Deployment", pod)) == 4


def test_each_service_is_whole(objects: list[dict[str, Any]]) -> None:
    by_kind: dict[str, dict[str, dict[str, Any]]] = {}
    for one in objects:
        by_kind.setdefault(one["kind"], {})[one["metadata"]["name"]] = one
    for name in SERVICES:
        for kind in ("ServiceAccount", "Service", "PodDisruptionBudget", "Deployment", "Certificate", "NetworkPolicy"):
            assert name in by_kind[kind], (name, kind)
        spec = by_kind["Deployment"][name]["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert name == "edge" or "grpc" in container["readinessProbe"]
        drain = 15 + container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert spec["terminationGracePeriodSeconds"] > drain
    namespace = next(iter(by_kind["Namespace"].values()))
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_no_pod_may_use_the_api_server(objects: list[dict[str, Any]]) -> None:
    kinds = {one["kind"] for one in objects}
    assert not kinds & {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}, "no service calls the API server"
    accounts = [one for one in objects if one["kind"] == "ServiceAccount"]
    assert all(one["automountServiceAccountToken"] is False for one in accounts)
    used = {pod["serviceAccountName"] for _, name, pod in pods(objects) if name in SERVICES | {"migrate"}}
    stores = {
        one["spec"]["provider"]["aws"]["auth"]["jwt"]["serviceAccountRef"]["name"]
        for one in objects
        if one["kind"] == "SecretStore"
    }
    assert {one["metadata"]["name"] for one in accounts} == used | stores


def test_each_release_has_a_migration_of_its_own(objects: list[dict[str, Any]]) -> None:
    (job,) = [one for one in objects if one["kind"] == "Job"]
    labels = job["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "migrate"
    assert job["metadata"]["name"] == "migrate-" + labels["app.kubernetes.io/version"].replace(".", "-")


def test_a_newer_catalogue_is_mounted_and_rolls_the_gateway(need: Need, tmp_path: Path) -> None:
    need.program("kubectl")
    shutil.copytree(OVERLAYS.parent, tmp_path / "k8s")
    overlay = tmp_path / "k8s" / "overlays" / "dev" / "kustomization.yaml"
    given = yaml.safe_load(overlay.read_text())
    given["components"].append("../../components/catalogue")
    overlay.write_text(yaml.safe_dump(given))
    file = tmp_path / "k8s" / "components" / "catalogue" / "catalogue.json"
    names = set()
    for content in (BUNDLED.read_text("utf-8"), "[]"):
        file.write_text(content, "utf-8")
        objects = rendered("dev", tmp_path / "k8s" / "overlays")
        (pod,) = [pod for _, name, pod in pods(objects) if name == "gateway"]
        (container,) = pod["containers"]
        assert {"name": "SELLERGATE_CATALOGUE", "value": "/etc/sellergate/catalogue.json"} in container["env"]
        mounted = next(one["configMap"]["name"] for one in pod["volumes"] if one["name"] == "catalogue")
        (held,) = [one for one in objects if one["kind"] == "ConfigMap" and one["metadata"]["name"] == mounted]
        assert held["data"] == {"catalogue.json": content}
        kubernetes_validate.validate(held, VERSIONS[-1], strict=True)
        names.add(mounted)
    assert len(names) == 2
