"""What a lane's JUnit file tells."""

from __future__ import annotations

from pathlib import Path

from tools.results import Results, read

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.unit.test_a" name="test_one"><properties><property name="lost" value="0"/></properties></testcase>
<testcase classname="tests.unit.test_a" name="test_two"><failure message="no">trace</failure></testcase>
<testcase classname="tests.e2e.test_b" name="test_three"><skipped message="skopeo is missing"/></testcase>
</testsuite></testsuites>"""


def test_counts_skips_and_figures_are_read(tmp_path: Path) -> None:
    path = tmp_path / "results.xml"
    path.write_text(JUNIT)

    results = read(path)

    assert (results.tests, results.failed) == (3, 1)
    assert results.skipped == ("tests/e2e/test_b::test_three: skopeo is missing",)
    assert results.figures == {"test_one: lost": "0"}


def test_a_run_that_ended_before_it_wrote_counts_as_nothing(tmp_path: Path) -> None:
    assert read(tmp_path / "missing.xml") == Results()


def test_results_add_up() -> None:
    total = Results(tests=2, skipped=("a: b",)) + Results(tests=3, failed=1)

    assert total == Results(tests=5, failed=1, skipped=("a: b",))
