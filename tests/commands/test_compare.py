"""The command `compare`, against SciPy and by hand."""

import re

import pytest
from scipy.stats import binomtest

from lit_mnist.main import main


def write(folder, right, labels=None, indices=None):
    """Predictions of as many images as `right` has letters: `+` right, `-` wrong."""
    folder.mkdir()
    labels = labels or [place % 10 for place in range(len(right))]
    indices = indices or range(len(right))
    rows = [
        f"{index},{label},{label if mark == '+' else (label + 1) % 10},1.0"
        for index, label, mark in zip(indices, labels, right, strict=True)
    ]
    text = "\n".join(["index,label,prediction,p0", *rows, ""])
    (folder / "predictions.csv").write_text(text)
    return str(folder)


@pytest.fixture
def compare(tmp_path, monkeypatch, capsys):
    """Compares two strings of hits and misses; gives (exit status, lines, problems)."""
    monkeypatch.chdir(tmp_path)

    def call(*names):
        status = main(["compare", *names])
        output, problems = capsys.readouterr()
        return status, output.splitlines(), problems

    return call


@pytest.mark.parametrize(
    ("both", "first", "second", "neither"),
    [(90, 0, 0, 10), (50, 6, 1, 43), (9960, 3, 20, 14), (80, 10, 10, 0), (0, 6, 0, 0)],
)
def test_the_p_value_is_scipys_and_the_winner_the_better_one(
    compare, tmp_path, both, first, second, neither
):
    one = write(tmp_path / "one", "+" * both + "+" * first + "-" * second + "-" * neither)
    other = write(tmp_path / "other", "+" * both + "-" * first + "+" * second + "-" * neither)
    status, lines, problems = compare(one, other)
    assert (status, problems) == (0, "")
    count = both + first + second + neither
    for line, name, correct in zip(
        lines, (one, other), (both + first, both + second), strict=False
    ):
        low, high = binomtest(correct, count).proportion_ci(method="wilson")
        assert line == (
            f"{name}: accuracy {correct / count:.4f} (95 % interval {low:.4f} to {high:.4f}),"
            f" {count - correct} errors in {count:,}"
        )
    assert lines[2] == f"right in the first alone: {first}, in the second: {second}"
    p_value = binomtest(first, first + second).pvalue if first + second else 1.0
    said = float(re.fullmatch(r"McNemar's exact test, two-sided: p = (.*)", lines[3])[1])
    assert said == pytest.approx(p_value, rel=5e-3)
    if p_value >= 0.05:
        assert lines[4] == "no difference that chance could not explain"
    else:
        winner = one if first > second else other
        assert lines[4] == f"{winner} is better by more than chance would explain"
    assert len(lines) == 5


def test_a_folder_is_as_good_as_its_file(compare, tmp_path):
    one, other = write(tmp_path / "one", "++-"), write(tmp_path / "other", "+--")
    assert compare(one, other)[1] == compare(f"{one}/predictions.csv", other)[1]


def test_a_run_does_not_differ_from_itself(compare, tmp_path):
    one = write(tmp_path / "one", "+-+-")
    assert compare(one, one)[1][3:] == [
        "McNemar's exact test, two-sided: p = 1",
        "no difference that chance could not explain",
    ]


@pytest.mark.parametrize(
    "others", [{"right": "++"}, {"labels": [3, 4, 6]}, {"indices": [0, 1, 3]}], ids=str
)
def test_different_images_are_refused(compare, tmp_path, others):
    one = write(tmp_path / "one", "++-", labels=[3, 4, 5])
    labels = [3, 4, 5][: len(others.get("right", "+++"))]
    other = write(tmp_path / "other", **({"right": "+++", "labels": labels} | others))
    said = f"error: {one} and {other} were tested on different images\n"
    assert compare(one, other) == (2, [], said)


DAMAGED = {
    "empty": b"",
    "without rows": b"index,label,prediction\n",
    "without a column": b"index,label\n0,1\n",
    "no numbers": b"index,label,prediction\n0,1,one\n",
    "torn": b"index,label,prediction\n0,1,1\n1,",
    "no text": b"\xff\xfe\x00\x81",
    "zeros": b"index,label,prediction\n0,1,1\n" + bytes(50),
    "a field without end": b'index,label,prediction\n0,1,"' + b"1" * 200_000,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_named(compare, tmp_path, content):
    good = write(tmp_path / "good", "+")
    bad = write(tmp_path / "bad", "+")
    (tmp_path / "bad" / "predictions.csv").write_bytes(content)
    said = f"error: {bad}/predictions.csv: damaged; test the run again\n"
    assert compare(good, bad) == (2, [], said)


def test_a_run_that_was_not_tested_is_named(compare, tmp_path):
    good = write(tmp_path / "good", "+")
    status, lines, problems = compare(good, "tb_logs/none")
    assert (status, lines) == (2, [])
    assert problems == "error: tb_logs/none/predictions.csv: no predictions; test the run first\n"


@pytest.mark.parametrize("names", [[], ["one"], ["one", "two", "three"]], ids=len)
def test_two_runs_are_compared_and_no_other_number(compare, names):
    status, lines, problems = compare(*names)
    assert (status, lines) == (2, [])
    assert problems.startswith(
        "error: compare takes two runs, such as python cli.py compare tb_logs/"
    )
    assert problems.count("\n") == 1
