"""Counts of correct, missing and false readings of pictures, and their table."""

import difflib
from collections.abc import Sequence
from typing import Any

from lit_mnist.reports.statistics import wilson_interval


def row(what: str, texts: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    """Counts correct and wrong readings; `labels` are texts, empty for no digit."""
    pairs = list(zip(texts, labels, strict=True))
    right = sum(text == label for text, label in pairs)
    low, high = wilson_interval(right, len(pairs))
    matched = sum(
        block.size
        for pair in pairs
        for block in difflib.SequenceMatcher(None, *pair, autojunk=False).get_matching_blocks()
    )
    return {
        "what": what,
        "pictures": len(pairs),
        "right": right,
        "accuracy": right / len(pairs),
        "ci95": [round(low, 4), round(high, 4)],
        "digits": sum(map(len, labels)),
        "digits_right": matched,
        "missing": sum(max(0, len(label) - len(text)) for text, label in pairs),
        "false": sum(max(0, len(text) - len(label)) for text, label in pairs),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Formats the rows in Markdown."""
    lines = ["| pictures | right | accuracy | 95 % interval | digits right | missing | false |"]
    lines.append("|---" * 7 + "|")
    for r in rows:
        low, high = r["ci95"]
        lines.append(
            f"| {r['what']} | {r['right']} of {r['pictures']} | {r['accuracy']:.4f}"
            f" | {low:.4f} to {high:.4f} | {r['digits_right']} of {r['digits']}"
            f" | {r['missing']} | {r['false']} |"
        )
    return "\n".join(lines)
