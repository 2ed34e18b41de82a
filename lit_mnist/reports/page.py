"""A page about one or several runs: one self-contained HTML file."""

import base64
import io
import math
import statistics
from collections.abc import Sequence
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from lit_mnist.errors import UserError
from lit_mnist.reports import page_charts
from lit_mnist.reports.page_facts import Evaluation, RunFacts
from lit_mnist.reports.plots import confusion_matrix

SHOWN = 200  # misclassified images of a run, at most


def template(name: str) -> jinja2.Template:
    """Loads the template of a page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lit_mnist.reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def html(runs: Sequence[RunFacts]) -> str:
    """Renders the page; equal runs give equal bytes."""
    together = {run.name: run.history for run in runs if run.history}
    names = ", ".join(run.name for run in runs)
    images = {run.results["test_data_sha256"] for run in runs if run.test}
    try:
        return template("report.html").render(
            title=names,
            runs=[_section(run) for run in runs],
            together=page_charts.accuracy_and_loss(together, None) if len(together) > 1 else "",
            columns=_COLUMNS,
            apart=len(images) > 1,
        )
    except jinja2.UndefinedError as error:
        text = f"{names}: results.json lacks what a test has written ({error}); test again"
        raise UserError(text) from error


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _interval(value: Sequence[float]) -> str:
    return f"{100 * value[0]:.2f} to {100 * value[1]:.2f} %"


_BEST = "best validation accuracy"
# Rows of the table that compares runs: key in results.json, heading, format
_COLUMNS = (
    ("status", "state", str),
    ("parameters", "parameters", "{:,}".format),
    ("best_val_acc", _BEST, _percent),
    ("test_acc", "test accuracy", _percent),
    ("test_acc_ci95", "95 % interval", _interval),
    ("test_errors", "test errors", "{:,}".format),
    ("test_loss", "test loss", "{:.4f}".format),
    ("test_reads", "reads of the test set", str),
    ("seconds", "seconds of training", "{:.0f}".format),
)


def _section(run: RunFacts) -> dict[str, Any]:
    """Returns the values of a run for the template."""
    results = run.results
    histories = {"": run.history} if run.history else run.histories
    best = results.get("best_epoch") if run.history else None
    return {
        "facts": run,
        "figures": _figures(run),
        "curves": page_charts.accuracy_and_loss(histories, best) if histories else "",
        "epoch_seconds": _epoch_seconds(run),
        "calibration": results.get("calibration"),
        **(_tested(run, run.test) if run.test else {"matrix": None}),
    }


def _figures(run: RunFacts) -> dict[str, str]:
    """Returns the figures that are known, by their headings."""
    results = run.results
    figures = {
        name: form(results[key])
        for key, name, form in _COLUMNS
        if _is_shown(results.get(key)) and not (run.untested and key.startswith("test_"))
    }
    if _BEST in figures and (images := results.get("best_val_images")):
        figures[_BEST] += f" of {images:,}"
    return figures | ({"weights tested": run.other} if run.other and run.test else {})


def _is_shown(value: object) -> bool:
    if isinstance(value, int | float):
        return math.isfinite(value)
    return bool(value) and isinstance(value, str | list)


def _epoch_seconds(run: RunFacts) -> str:
    seconds = [row["seconds"] for row in run.history if row.get("seconds", 0) > 0]
    return f"{statistics.median(seconds):.1f}" if seconds else ""


def _tested(run: RunFacts, test: Evaluation) -> dict[str, Any]:
    matrix = confusion_matrix(test.answers.labels, test.predictions)
    off = matrix - np.diag(np.diag(matrix))
    return {
        "matrix": matrix.tolist(),
        "most": max(int(off.max()), 1),
        "errors": [_error(run, test, place) for place in test.wrong[:SHOWN]],
        "error_count": len(test.wrong),
        "reliability": page_charts.reliability(test.answers),
        "risk_coverage": page_charts.risk_coverage(test.answers),
    }


def _error(run: RunFacts, test: Evaluation, place: int) -> dict[str, Any]:
    """Returns the values of a misclassified image for the template."""
    label, prediction = int(test.answers.labels[place]), int(test.predictions[place])
    votes = [] if test.votes is None else test.votes[place].tolist()
    return {
        "index": int(test.indices[place]),
        "true": label,
        "predicted": prediction,
        "true_name": run.class_names[label],
        "predicted_name": run.class_names[prediction],
        "probability": f"{test.answers.confidence[place]:.1%}",
        "votes": [run.class_names[vote] for vote in votes],
        "image": "" if test.images is None else data_uri(test.images[place]),
    }


def data_uri(image: np.ndarray) -> str:
    """Encodes an image, uint8 (28, 28), as a data URI of a PNG."""
    png = io.BytesIO()
    Image.fromarray(image).save(png, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
