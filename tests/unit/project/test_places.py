"""The lists of CONTRIBUTING.md are complete: an addition by them passes the checks, and every omission is named.

`tests/system/test_places.py` leaves out one step at a time.
"""

from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from sellergate_account.settings import AccountSettings
from sellergate_common.settings import variable_of
from sellergate_edge.settings import EdgeSettings
from sellergate_gateway.settings import GatewaySettings
from sellergate_iam.settings import IamSettings
from sellergate_token.settings import TokenSettings

from scripts.places import KINDS, services
from scripts.places.tree import Tree
from tests.paths import ROOT
from tests.places import METRIC, STEPS, Copy, Step, names

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("heading", KINDS)
def test_no_place_was_left_out(heading: str) -> None:
    assert list(KINDS[heading](Tree(ROOT))) == []


@pytest.mark.parametrize("heading", STEPS)
def test_a_list_names_every_file_of_its_steps(heading: str) -> None:
    text = CONTRIBUTING.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    for step in STEPS[heading]:
        assert any(name in text for name in (Path(step.path).name, step.path.split("/")[0] + "/")), step.path


def test_the_list_of_a_service_names_every_file() -> None:
    text = CONTRIBUTING.partition("\n## Add a service\n")[2].partition("\n## ")[0]
    for path, _, _ in services.PLACES:
        assert Path(path.format("<service>")).name in text, path


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("tree"))


@pytest.mark.parametrize("heading", STEPS)
def test_a_complete_addition_passes_and_each_omission_is_named(heading: str, copy: Copy) -> None:
    first, second, *others = STEPS[heading]
    assert copy.problems(heading, STEPS[heading]) == []
    assert names(copy.problems(heading, [second, *others]), heading, first)
    assert names(copy.problems(heading, [first, *others]), heading, second)
    problems = copy.problems(heading, [first, second])
    assert all(names(problems, heading, step) for step in others), problems


def test_each_place_that_lacks_a_service_is_named(copy: Copy) -> None:
    for path, text, _ in services.PLACES:
        place = path.format("iam")
        problems = copy.problems_without("iam", place, text.format("iam"))
        assert any(problem.startswith(place) for problem in problems), (place, problems)


def test_an_alert_on_a_metric_that_no_code_makes_is_named(copy: Copy) -> None:
    (problem,) = copy.problems(METRIC, [Step("deploy/observability/alerts.yml", "", "# sellergate_nothing_total\n")])
    copy.restore("deploy/observability/alerts.yml")
    assert problem.startswith("deploy/observability/alerts.yml reads sellergate_nothing_total, which no code makes")


def test_the_page_of_settings_has_their_defaults() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    for kind in (AccountSettings, TokenSettings, IamSettings, GatewaySettings, EdgeSettings):
        for name, field in kind.model_fields.items():
            variable = variable_of(field, name)
            if variable != "AWS_REGION":  # each service has its own default
                assert f"\n| `{variable}` | {written(field)}| " in page, variable


def written(field: FieldInfo) -> str:
    """Return a default in the form of the page."""
    if field.is_required():
        return "required "
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    is_of_release = isinstance(value, Path) and value.is_absolute()
    if value is None or value == "" or is_of_release:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else str(value).removesuffix('.0')}` "
