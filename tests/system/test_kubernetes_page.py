"""docs/kubernetes.md, typed from top to bottom as far as no control plane, no Docker and no account of AWS are needed."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic import SecretStr
from sellergate_common.crypto.sealing import KeyRing, parse_key
from sellergate_common.redis_url import parse_redis_url

from tests.paths import ROOT
from tests.system.conftest import Need
from tests.system.test_kubernetes import SERVICES, VERSIONS, faults, rendered
from tests.unit.project.test_docs import fences

PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
BLOCKS = [text for language, text, _ in fences(ROOT / "docs" / "kubernetes.md") if not language]
ALL = "\n".join(BLOCKS)
COMMANDS = {
    "export": 4,
    "make": 2,
    "for": 2,
    "sed": 1,
    "aws": 3,
    "done": 2,
    "python3": 1,
    "kubectl": 6,
    "helm": 1,
}


def shell(script: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Type commands in a copy of the tree; `aws`, which would call AWS, only records what it is given."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "aws").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {folder}/aws.txt\n')
    (tools / "aws").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", **variables}
    return subprocess.run(
        ["bash", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("deploy", "scripts", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "protos").mkdir()
    return tmp_path


def test_every_command_of_the_page_is_known_here() -> None:
    first = [line.split()[0] for line in ALL.splitlines() if line]
    assert {word: first.count(word) for word in first} == COMMANDS


def test_images_are_built_and_pushed_by_their_names(tree: Path) -> None:
    done = shell(BLOCKS[0].replace("make ", "make --dry-run "), tree)
    assert done.returncode == 0, done.stderr
    for word in (
        "docker build",
        "docker push",
        "ecr.us-east-1.amazonaws.com/shop",
        "account token iam gateway edge cli",
    ):
        assert word in done.stdout
    without = shell("make images", tree, REGISTRY="")
    assert (without.returncode, "Set REGISTRY" in without.stderr) == (2, True)


def test_roles_get_a_policy_and_a_trust_of_their_own(tree: Path) -> None:
    done = shell(BLOCKS[1], tree)
    assert done.returncode == 0, done.stderr
    given = (tree / "aws.txt").read_text()
    for name in ("account", "token", "iam", "secret-store"):
        trust = json.loads((tree / f"trust-{name}.json").read_text())
        assert f"system:serviceaccount:sellergate:{name}" in json.dumps(trust)
        files = re.findall(rf"--role-name sellergate-{name} .*file://(\S+)", given)
        assert len(files) == 2
        assert all(json.loads((tree / file).read_text())["Version"] == "2012-10-17" for file in files)


def test_the_secrets_are_what_the_services_take(tree: Path) -> None:
    done = shell(BLOCKS[2], tree)
    assert done.returncode == 0, done.stderr
    secrets = {name: json.loads((tree / "cluster-secrets" / f"{name}.json").read_text()) for name in SERVICES}
    rows = dict(re.findall(r"^\| `(\w+)` \| (`[^|]*`) \|$", PAGE, re.MULTILINE))
    for name, secret in secrets.items():
        assert set(secret) == set(re.findall(r"`([a-z-]+)`", rows[name])), name
        assert parse_redis_url(SecretStr(secret["redis-url"])).tls
        for key, value in secret.items():
            if "keys" in key:
                KeyRing.parse(value)
    for key in ("index-key", "audit-key"):
        parse_key(secrets["account"][key], key)
    assert secrets["token"]["cache-keys-token"] == secrets["gateway"]["cache-keys-token"]
    assert secrets["iam"]["cache-keys-credentials"] == secrets["gateway"]["cache-keys-credentials"]
    assert "PASSWORD_SHA256" not in (tree / "cluster-secrets" / "users.acl").read_text()
    assert (tree / "cluster-secrets" / "account.json").stat().st_mode & 0o777 == 0o600
    assert "name a new folder" in shell(BLOCKS[2], tree).stderr, "no secret is overwritten"


def test_each_stage_applies_its_objects(need: Need) -> None:
    need.program("kubectl")
    objects = rendered("eks")
    served = [one for one in objects if one["metadata"].get("labels", {}).get("sellergate.io/stage") == "serve"]
    assert {(one["kind"], one["metadata"]["name"]) for one in served} == {("Deployment", name) for name in SERVICES}
    (job,) = [one for one in objects if one["kind"] == "Job"]
    (selector,) = re.findall(r"job --selector (\S+)", ALL)
    labels = dict(pair.split("=") for pair in selector.split(","))
    assert labels.items() <= job["metadata"]["labels"].items()


def test_the_overlay_has_what_amazon_eks_needs(need: Need) -> None:
    need.program("kubectl")
    objects = {(one["kind"], one["metadata"]["name"]): one for one in rendered("eks")}
    (settings,) = [one["data"] for (kind, _), one in objects.items() if kind == "ConfigMap"]
    assert settings["SELLERGATE_FORWARDED_ALLOW_IPS"] == "10.0.0.0/20,10.0.16.0/20"
    balancer = objects["NetworkPolicy", "ingress-load-balancer"]["spec"]["ingress"]
    assert [one["ipBlock"]["cidr"] for one in balancer[0]["from"]] == settings["SELLERGATE_FORWARDED_ALLOW_IPS"].split(
        ","
    )
    ingress = objects["Ingress", "edge"]["spec"]
    assert f"https://{ingress['tls'][0]['hosts'][0]}" == settings["SELLERGATE_PUBLIC_URL"]
    for name in ("account", "token", "iam", "secret-store"):
        assert "eks.amazonaws.com/role-arn" in objects["ServiceAccount", name]["metadata"]["annotations"]
    assert ("SecretStore", "sellergate") in objects
    assert ("PrometheusRule", "sellergate") in objects


def test_the_values_to_set_are_in_the_files_that_the_page_names() -> None:
    named = set(re.findall(r"^\| `([\w-]+\.\w+)` \|", PAGE, re.MULTILINE))
    folder = ROOT / "deploy" / "k8s" / "overlays" / "eks"
    placeholder = re.compile(r"123456789012|\.example|\b10\.0\.\d+\.0|us-east-1")
    assert named == {file.name for file in folder.iterdir() if placeholder.search(file.read_text())}


def test_the_command_for_operators_is_a_valid_pod(need: Need) -> None:
    need.program("kubectl")
    overrides = json.loads((ROOT / "deploy/k8s/components/cli/overrides.json").read_text())
    assert re.search(r"kubectl .* run cli .*--override-type=strategic --overrides=.*components/cli/overrides.json", ALL)
    pod: dict[str, Any] = {"kind": "Pod", **overrides, "metadata": {"name": "cli", **overrides["metadata"]}}
    (container,) = pod["spec"]["containers"]
    container |= {"image": "registry.example/sellergate-cli:0.1.0", "args": ["sellergate", "doctor"]}
    for version in VERSIONS:
        kubernetes_validate.validate(pod, version, strict=True)
    assert faults("Job", pod["spec"]) == [], "as for a Job: it serves nothing that is probed"
    secrets = {one["secret"]["secretName"] for one in pod["spec"]["volumes"] if "secret" in one}
    assert secrets <= {one["spec"]["secretName"] for one in rendered("eks") if one["kind"] == "Certificate"}


def test_the_adapter_serves_the_metric_of_the_autoscalers() -> None:
    values = yaml.safe_load((ROOT / "deploy/k8s/overlays/eks/prometheus-adapter.yaml").read_text())
    (rule,) = values["rules"]["custom"]
    scaled = yaml.safe_load_all((ROOT / "deploy/k8s/components/autoscaling/autoscalers.yaml").read_text())
    metrics = {one["pods"]["metric"]["name"] for each in scaled for one in each["spec"]["metrics"] if "pods" in one}
    assert metrics == {rule["name"]["as"]}
