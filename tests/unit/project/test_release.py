"""The version, the changelog and the deployment agree, and the contracts are compared with an earlier commit."""

import datetime as dt
import re

import yaml

from tests.paths import ROOT
from tests.unit.project.test_project import PROJECT

VERSION = PROJECT["project"]["version"]
HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d\d-\d\d))?$", re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_newest_release_of_the_changelog_is_the_version() -> None:
    headings = list(HEADING.finditer((ROOT / "CHANGELOG.md").read_text()))
    assert headings[0]["version"] == "Unreleased"
    assert headings[1]["version"] == VERSION
    dates = [dt.date.fromisoformat(heading["date"]) for heading in headings[1:]]
    assert dates == sorted(dates, reverse=True)


def test_the_changelog_uses_the_six_kinds_of_change() -> None:
    kinds = re.findall(r"^### (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert kinds
    assert set(kinds) <= KINDS


def test_the_dev_overlay_runs_this_version() -> None:
    overlay = yaml.safe_load((ROOT / "deploy/k8s/overlays/dev/kustomization.yaml").read_text())
    assert {image["newTag"] for image in overlay["images"]} == {VERSION}


def test_the_migration_of_each_release_is_a_job_of_its_own() -> None:
    component = yaml.safe_load((ROOT / "deploy/k8s/components/release/kustomization.yaml").read_text())
    (patch,) = component["patches"]
    assert patch["options"] == {"allowNameChange": True}
    name, label = yaml.safe_load(patch["patch"])
    assert name["value"] == f"migrate-{VERSION.replace('.', '-')}"
    assert label["value"] == VERSION


def test_production_runs_only_digests() -> None:
    folder = ROOT / "deploy/k8s/overlays/production"
    overlay = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert "images" not in overlay
    assert "images" in overlay["components"]
    images = yaml.safe_load((folder / "images/kustomization.yaml").read_text())["images"]
    assert all(set(image) == {"name", "newName", "digest"} for image in images)


def test_the_contracts_are_compared_with_one_commit() -> None:
    assert re.fullmatch(r"[0-9a-f]{40}\n", (ROOT / "protos/BASELINE").read_text())


def test_the_licence_is_named_and_there() -> None:
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()
