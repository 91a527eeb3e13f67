"""The IAM policies of deploy/aws permit exactly the calls of AWS that the code makes; the Prometheus operator gets the alerts."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import yaml
from botocore import xform_name

from tests.paths import ROOT
from tests.unit.project.test_requirements import script

# The code of each role, by the policy's file.
CODE = {
    "account": "services/account",
    "token": "services/token",
    "iam": "services/iam",
    "operator": "libs/cli",
}


def clients(tree: ast.AST) -> Iterator[str]:
    """Yield the AWS services that a module makes clients of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "client":
            yield from (one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str))


def calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr


def actions(folder: Path) -> set[str]:
    """Return the IAM actions of a folder's code: calls that are operations of a service that it makes a client of."""
    trees = [ast.parse(file.read_text()) for file in folder.rglob("*.py")]
    session = botocore.session.get_session()
    found = set()
    for service in {name for tree in trees for name in clients(tree)}:
        names = {xform_name(name): name for name in session.get_service_model(service).operation_names}
        using = [tree for tree in trees if "boto" in ast.unparse(tree)]
        found |= {f"{service}:{names[name]}" for tree in using for name in calls(tree) if name in names}
    return found


def allowed(name: str) -> set[str]:
    policy = json.loads((ROOT / "deploy" / "aws" / f"{name}.json").read_text())
    assert policy["Version"] == "2012-10-17"
    assert all(one["Effect"] == "Allow" and one["Resource"] != "*" for one in policy["Statement"])
    return {action for one in policy["Statement"] for action in one["Action"]}


def test_each_policy_permits_what_the_code_calls_and_no_more() -> None:
    assert {name: allowed(name) for name in CODE} == {name: actions(ROOT / folder) for name, folder in CODE.items()}


def test_every_role_of_the_eks_overlay_has_a_policy() -> None:
    for account in yaml.safe_load_all((ROOT / "deploy/k8s/overlays/eks/roles.yaml").read_text()):
        (role,) = account["metadata"]["annotations"].values()
        assert role.endswith(f":role/sellergate-{account['metadata']['name']}")
        assert allowed(account["metadata"]["name"])


def test_the_rules_of_the_prometheus_operator_are_the_alerts() -> None:
    make = script("make_prometheus_rule")
    assert make.FILE.read_text() == make.written(make.ALERTS.read_text())
    assert yaml.safe_load(make.FILE.read_text())["spec"] == yaml.safe_load(make.ALERTS.read_text())
