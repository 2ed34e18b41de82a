"""A committee's `report.md`: its scores beside its members'."""

from collections.abc import Sequence
from typing import Any

from lit_mnist.reports import abstention, out_of_fold
from lit_mnist.reports.statistics import mean_sd, wilson_interval

REPORT = "report.md"
PICTURES = {
    "errors by number of members": "errors_by_size.png",
    "errors and votes": "misclassified.png",
    "confusion matrix": "confusion.png",
}


def markdown(results: dict[str, Any]) -> str:
    """Formats the report from a committee's `results.json`."""
    return "\n".join(
        [
            f"# {results['name']}: a committee of {len(results['members'])}",
            "",
            f"Average of {results['average']}. Members: {results['choice']}. The test set has been"
            f" read {results['test_reads']} time(s) in this folder (`ledger.csv`).",
            "",
            *_scores(results),
            *_out_of_fold(results.get(out_of_fold.KEY)),
            f"Calibration: {abstention.summary(results['calibration'])}.",
            "",
            *_cascade(results.get("cascade")),
            *_disagreement(results["disagreement"]),
            *_errors_by_size(results["errors_by_size"]),
            *(f"![{title}]({name})" for title, name in PICTURES.items()),
            "",
            f"{results['hardware']}; torch {results['versions']['torch']}.",
            "",
        ]
    )


def _scores(results: dict[str, Any]) -> list[str]:
    """Formats the table of the members' scores, their mean, and the committee's."""
    members = results["members"]
    accuracy, loss, errors = (
        mean_sd([member[key] for member in members])
        for key in ("test_acc", "test_loss", "test_errors")
    )
    spread = f"{accuracy[0]:.4f} ± {accuracy[1]:.4f} | | {loss[0]:.4f} ± {loss[1]:.4f}"
    return [
        "| | val acc | test acc | 95 % interval | test loss | errors |",
        "|---|---|---|---|---|---|",
        *(_row(member["run"], member, member["val_acc"]) for member in members),
        f"| mean ± sd | | {spread} | {errors[0]:.1f} ± {errors[1]:.1f} |",
        _row(f"**committee of {len(members)}**", results, None),
        "",
        *_validated(members),
    ]


def _validated(members: Sequence[dict[str, Any]]) -> list[str]:
    """Formats the line about how many images the validation accuracies are of, if all are known."""
    known = [member.get("val_images") for member in members if member["val_acc"] is not None]
    counts = {int(count or 0) for count in known}
    if not counts or 0 in counts:
        return []
    several = "" if len(counts) == 1 else f"{min(counts):,} to "
    return [f"Each validation accuracy is of {several}{max(counts):,} images.", ""]


def _disagreement(found: dict[str, Any]) -> list[str]:
    """Formats the line about how often members disagree."""
    pairs = [share for i, row in enumerate(found["pairs"]) for share in row[:i]]
    return [
        f"Not all members agree on {found['any']:.2%} of the images; two of them"
        f" differ on {min(pairs):.2%} to {max(pairs):.2%}.",
        "",
    ]


def _errors_by_size(sizes: Sequence[dict[str, Any]]) -> list[str]:
    """Formats the table of errors of committees of 1, 2, ... members."""
    return [
        "| members | mean errors | fewest | most (over subsets) |",
        "|---|---|---|---|",
        *(
            f"| {size} | {row['mean']:.1f} | {row['fewest']} | {row['most']} |"
            for size, row in enumerate(sizes, 1)
        ),
        "",
    ]


def _out_of_fold(found: dict[str, Any] | None) -> list[str]:
    if not found:
        return []
    size = out_of_fold.size(found)
    return [
        f"{out_of_fold.summary(found).capitalize()} (`out_of_fold.csv`). Each training image was"
        " scored by the members that had left it out of training, so this is a validation of the"
        f" recipe in committees of {size}, not of the committee of"
        f" {sum(found['members_by_fold'])}. Temperature and thresholds come from the same"
        " answers. A member's validation accuracy is that of its own part.",
        "",
    ]


def _cascade(found: dict[str, Any] | None) -> list[str]:
    """Returns the lines about the cascade, if `results.json` has them."""
    if not found:
        return []
    cost = [
        f"{found[split]['members_per_image']:.2f} members an image on {name}"
        f" ({found[split]['changed']} of {found[split]['images']:,} answers changed)"
        for split, name in (("val", "validation"), ("test", "test"))
    ]
    spent = found.get("test_seconds")
    if spent:
        cost.append(f"{spent['in_turn']:.2f} s for the test images instead of {spent['all']:.2f} s")
    return [f"As a cascade, whose thresholds validation sets: {', '.join(cost)}.", ""]


def _row(name: str, scores: dict[str, Any], val_acc: float | None) -> str:
    low, high = wilson_interval(
        scores["test_images"] - scores["test_errors"], scores["test_images"]
    )
    known = "" if val_acc is None else f"{val_acc:.4f}"
    return (
        f"| {name} | {known} | {scores['test_acc']:.4f} | {low:.4f} to {high:.4f}"
        f" | {scores['test_loss']:.4f} | {scores['test_errors']} |"
    )
