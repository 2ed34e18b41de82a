"""The command `compare`, against SciPy and by hand."""

import re

import pytest
from scipy.stats import binomtest, ttest_ind

from lit_mnist.main import main


def write(folder, right, labels=None, indices=None):
    """Predictions of one image per character of `right`: `+` right, `-` wrong."""
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
    """Compares two strings of hits and misses; returns (exit status, lines, stderr)."""
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
def test_the_p_value_equals_scipy_s_and_the_better_run_wins(
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
    printed = float(re.fullmatch(r"McNemar's exact test, two-sided: p = (.*)", lines[3])[1])
    assert printed == pytest.approx(p_value, rel=5e-3)
    if p_value >= 0.05:
        assert lines[4] == "no difference that chance could not explain"
    else:
        winner = one if first > second else other
        assert lines[4] == f"{winner} is better by more than chance would explain"
    assert len(lines) == 5


def test_a_folder_and_its_predictions_file_are_equivalent(compare, tmp_path):
    one, other = write(tmp_path / "one", "++-"), write(tmp_path / "other", "+--")
    assert compare(one, other)[1] == compare(f"{one}/predictions.csv", other)[1]


def test_a_run_under_two_names_counts_once(compare, tmp_path):
    one, other = write(tmp_path / "one", "++-"), write(tmp_path / "other", "+--")
    (tmp_path / "link").symlink_to(one)
    expected = compare(one, other, write(tmp_path / "third", "--+"))
    again = compare(one, "link", "one", f"{one}/predictions.csv", other, str(tmp_path / "third"))
    assert again == expected
    assert expected[0] == 0


def test_a_link_that_leads_to_itself_is_reported(compare, tmp_path):
    write(tmp_path / "a", "+-")
    (tmp_path / "loop").symlink_to("loop")
    status, lines, problems = compare("a", "loop")
    assert (status, lines, problems.count("\n")) == (2, [], 1)
    assert problems.startswith("error: loop")


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
    message = f"error: {one} and {other} were tested on different images\n"
    assert compare(one, other) == (2, [], message)


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
def test_a_damaged_file_is_reported(compare, tmp_path, content):
    good = write(tmp_path / "good", "+")
    bad = write(tmp_path / "bad", "+")
    (tmp_path / "bad" / "predictions.csv").write_bytes(content)
    message = f"error: {bad}/predictions.csv: damaged; test the run again\n"
    assert compare(good, bad) == (2, [], message)


def test_a_file_of_another_kind_is_reported(compare, tmp_path):
    good = write(tmp_path / "good", "+")
    other = tmp_path / "best.ckpt"
    other.write_bytes(b"PK\x03\x04")
    message = f"error: {other}: holds no predictions; name a run, or its predictions.csv\n"
    assert compare(good, str(other)) == (2, [], message)


def test_a_seed_without_predictions_is_left_out_with_a_line(compare, tmp_path):
    (tmp_path / "system").mkdir()
    for seed in (1, 2):
        write(tmp_path / "system" / f"seed_{seed}", "+-")
    (tmp_path / "system" / "seed_10").mkdir()
    status, lines, problems = compare("system", write(tmp_path / "other", "--"))
    assert (status, problems) == (
        0,
        "system/seed_10: has no predictions, so it is left out; test it\n",
    )
    assert len([line for line in lines if ": accuracy" in line]) == 3


def test_an_untested_run_is_reported(compare, tmp_path):
    good = write(tmp_path / "good", "+")
    status, lines, problems = compare(good, "tb_logs/none")
    assert (status, lines) == (2, [])
    assert problems == "error: tb_logs/none/predictions.csv: no predictions; test the run first\n"


@pytest.mark.parametrize("names", [[], ["one"]], ids=len)
def test_fewer_than_two_runs_are_refused(compare, names):
    status, lines, problems = compare(*names)
    assert (status, lines) == (2, [])
    assert problems.startswith(
        "error: compare takes two runs or more, such as python cli.py compare tb_logs/"
    )
    assert problems.count("\n") == 1


# ------------------------------------------------------------------- more than two


def strings(*wrong, count=400):
    """One string of hits and misses per run, from the images that it has wrong."""
    return ["".join("-" if place in own else "+" for place in range(count)) for own in wrong]


def test_three_runs_are_compared_pairwise_with_holm_s_correction(compare, tmp_path):
    marks = strings(range(5), range(30), range(2, 12))
    names = [write(tmp_path / str(place), own) for place, own in enumerate(marks)]
    status, lines, problems = compare(*names)
    assert (status, problems) == (0, "")
    one, two, three = names
    # only the first is right on 5 to 29; the first and the third differ in 2 and 7 images
    plain = [binomtest(*n).pvalue for n in ((25, 25), (7, 9), (0, 20))]
    smallest, middle, largest = sorted(plain)
    corrected = {smallest: 3 * smallest, middle: 2 * middle, largest: largest}
    counts = ((25, 0), (7, 2), (0, 20))
    pairs = ((one, two), (one, three), (two, three))
    for line, pair, (a, b), p_value in zip(lines[4:7], pairs, counts, plain, strict=True):
        assert line == (
            f"{pair[0]}, {pair[1]}: right in one alone {a} and {b}, p = {p_value:.3g},"
            f" corrected {corrected[p_value]:.3g}"
        )
    assert lines[3] == "McNemar's exact test, two-sided; corrected for 3 pairs by Holm:"
    assert lines[7:] == [
        f"{one} is better than {two} by more than chance explains",
        f"{three} is better than {two} by more than chance explains",
    ]


def test_seeds_of_two_systems_are_compared_by_their_means_too(compare, tmp_path):
    errors = {"deep": (4, 6, 5), "dense": (20, 26)}
    for system, counts in errors.items():
        (tmp_path / system).mkdir()
        for seed, count in enumerate(counts, 9):
            write(tmp_path / system / f"seed_{seed}", strings(range(count))[0])
    deep, dense = (str(tmp_path / system) for system in errors)
    status, lines, problems = compare(deep, dense)
    assert (status, problems) == (0, "")
    assert [line.partition(":")[0] for line in lines[:5]] == [
        *(f"{deep}/seed_{seed}" for seed in (9, 10, 11)),
        *(f"{dense}/seed_{seed}" for seed in (9, 10)),
    ]
    scores = [[1 - count / 400 for count in counts] for counts in errors.values()]
    theirs = ttest_ind(*scores, equal_var=False)
    low, high = theirs.confidence_interval()
    assert lines[-1] == (
        f"{deep}, {dense}: difference +0.0450 (95 % interval {low:+.4f} to {high:+.4f}),"
        f" p = {theirs.pvalue:.3g}, corrected {theirs.pvalue:.3g}"
    )
    assert lines[-4].startswith(f"{deep}: mean accuracy 0.9875 ± 0.0025 of 3 seeds")


def test_equal_accuracies_have_no_welch_test(compare, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for seed in (1, 2):
            write(tmp_path / name / f"seed_{seed}", "++-")
    status, lines, _ = compare(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (status, lines[-1]) == (0, "no difference that chance could not explain")


def test_a_run_tested_on_other_images_is_reported(compare, tmp_path):
    names = [write(tmp_path / str(place), "++") for place in range(2)]
    other = write(tmp_path / "other", "+++")
    message = f"error: {names[0]} and {other} were tested on different images\n"
    assert compare(*names, other) == (2, [], message)
