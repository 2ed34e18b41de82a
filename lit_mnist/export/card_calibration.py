"""The section of a model card about calibration."""

from lit_mnist.export.card_table import table
from lit_mnist.export.facts import Facts


def calibration(facts: Facts) -> str:
    """Formats the section about calibration."""
    names = ("nll", "brier", "ece", "aurc")
    rows = [
        [label, *(f"{facts.calibration[key][name]:.4g}" for name in names)]
        for label, key in (("as they are", "test"), ("at the temperature", "test_scaled"))
        if isinstance(facts.calibration.get(key), dict)
    ]
    scores = table(["probabilities", *map(str.upper, names)], rows)
    rule = facts.trained.abstention
    text = f"""A prediction counts as sure if its probability, at the temperature
{rule.temperature:.4f}, is over {rule.threshold:.6g} ({rule.source}).
Both numbers are among the file's metadata, and neither is applied: divide the probabilities'
logarithms by the temperature, take their softmax, and compare the largest with the threshold.
"""
    if not rows:
        text += "\nCalibration was not measured.\n"
    return "\n".join(["## Calibration", "", text, *scores, *_abstention(facts)])


def _abstention(facts: Facts) -> list[str]:
    """Formats the table of thresholds: fraction of images answered at each number of errors."""
    columns = {
        "validation errors allowed": "{val_errors_allowed}",
        "threshold": "{threshold:.6g}",
        "validation answered": "{val_coverage:.2%}",
        "test answered": "{test_coverage:.2%}",
        "errors in these": "{test_errors}",
    }
    found = facts.calibration.get("abstention", [])
    rows = [[cell.format_map(row) for cell in columns.values()] for row in found]
    return table(list(columns), rows)
