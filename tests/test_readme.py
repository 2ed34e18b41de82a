"""The README agrees with the repository."""

import csv
import json
import re
from pathlib import Path

import pytest

from lit_mnist.reports.statistics import wilson_interval

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_every_file_named_in_the_readme_exists():
    named = re.findall(r"(?:configs|lit_mnist|docs|benchmarks|results)/[\w./-]+\.\w+", README)
    assert len(named) > 3
    for name in named:
        assert (ROOT / name).exists(), name


def test_the_readme_table_equals_that_of_reproduce():
    """The README's table has exactly the rows of `results/tutorial.json`."""
    facts = json.loads((ROOT / "results" / "tutorial.json").read_text())
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \| (\d+) \|", README, re.M)
    assert [row[0] for row in rows] == [row["title"] for row in facts.values()]
    for (_, theirs, accuracy, interval, loss, errors), recorded in zip(
        rows, facts.values(), strict=True
    ):
        ours, notebook = recorded["ours"], recorded["notebook"]
        assert theirs == f"{notebook['acc']:.4f} / {notebook['loss']:.4f}"
        assert (accuracy, loss) == (f"{ours['test_acc']:.4f}", f"{ours['test_loss']:.4f}")
        low, high = wilson_interval(ours["test_images"] - ours["test_errors"], ours["test_images"])
        assert interval == f"{low:.4f} to {high:.4f}"
        assert int(errors) == ours["test_errors"]


def test_the_readme_s_network_is_the_tested_example():
    assert f"```python\n{(ROOT / 'examples' / 'my_net.py').read_text()}```" in README


def test_the_python_snippet_reads_an_image(trained, monkeypatch, capsys):
    (snippet,) = re.findall(r"```python\n(import lit_mnist\n.*?)```", README, re.S)
    picture = ROOT / "docs" / "images" / "seven.png"
    snippet = snippet.replace("docs/images/seven.png", str(picture))
    exec(snippet.replace("tb_logs/fast/seed_42", "tb_logs/dense/seed_42"), {})
    assert re.fullmatch(r"\[\d\]\n", capsys.readouterr().out)


@pytest.mark.parametrize(("name", "errors"), [("deep", 26), ("wide", 25)])
def test_the_predictions_in_results_are_those_of_the_reports(name, errors):
    folder = ROOT / "results"
    with (folder / "predictions" / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["index"]) for row in rows] == [*range(10_000)]
    assert sum(row["label"] != row["prediction"] for row in rows) == errors
    tutorial, record = (
        json.loads((folder / f"{one}.json").read_text()) for one in ("tutorial", "record")
    )
    known = {"deep": tutorial["committee_deep"]["ours"], "wide": record}
    assert known[name]["test_errors"] == errors
