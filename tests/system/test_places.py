"""Each omitted step of a list in CONTRIBUTING.md is named by its check; takes about half a minute."""

from pathlib import Path

import pytest

from tests.places import STEPS, Copy, names


@pytest.mark.parametrize("heading", STEPS)
def test_a_single_step_left_out_is_named(heading: str, tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    for left_out in STEPS[heading]:
        problems = copy.problems(heading, [step for step in STEPS[heading] if step is not left_out])
        assert names(problems, heading, left_out), (left_out.path, problems)
