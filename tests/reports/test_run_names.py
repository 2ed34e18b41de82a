"""Names of runs in tables and charts."""

from pathlib import Path

from lit_mnist.reports.run_names import of_folders


def test_runs_of_one_name_are_told_apart_by_their_paths():
    folders = [Path("a/deep/seed_1"), Path("b/deep/seed_1"), Path("b/deep/seed_2")]
    assert of_folders(folders) == ["a/deep/seed_1", "b/deep/seed_1", "deep/seed_2"]
