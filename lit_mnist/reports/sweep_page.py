"""A page about a sweep: its history, each option against validation accuracy, every trial."""

import json
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lit_mnist.reports.figures import PALETTE, default_style, literal
from lit_mnist.reports.page import template
from lit_mnist.reports.page_charts import STYLE, svg
from lit_mnist.sweep.record import Record, Trial

_MARKS = {"complete": "o", "pruned": "x"}


def html(record: Record) -> str:
    """Renders the page; equal records give equal bytes."""
    known = [trial for trial in record.trials if trial.val_acc is not None]
    return template("sweep.html").render(
        title=f"{record.name}: a sweep",
        record=record,
        options=list(record.space),
        ranked=sorted(record.trials, key=_rank),
        counts={state: record.count(state) for state in ("complete", "pruned", "failed")},
        history=history(known) if known else "",
        scatter=scatter(known, record.space) if known else "",
    )


def _rank(trial: Trial) -> tuple[bool, float, int]:
    return trial.state != "complete", -(trial.val_acc or 0.0), trial.number


def history(trials: Sequence[Trial]) -> str:
    """Plots the trials' validation accuracies in order, and the best complete one so far."""
    with default_style(STYLE):
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        axes = figure.add_subplot(xlabel="trial", ylabel="best validation accuracy")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        _points(axes, [(trial.number, trial) for trial in trials])
        completed = [trial for trial in trials if trial.state == "complete"]
        best = list(accumulate((trial.val_acc or 0.0 for trial in completed), max))
        numbers = [trial.number for trial in completed]
        axes.step(numbers, best, where="post", color=PALETTE[1], label="best so far")
        axes.legend(frameon=False)
        axes.grid(alpha=0.25)
        return svg(figure, "Validation accuracy by trial")


def scatter(trials: Sequence[Trial], space: dict[str, Any]) -> str:
    """Plots validation accuracy against each option, one panel per option."""
    columns = min(3, len(space))
    rows = -(-len(space) // columns)
    with default_style(STYLE):
        figure = Figure(figsize=(3 * columns, 2.8 * rows), layout="constrained")
        for place, (option, values) in enumerate(space.items(), 1):
            axes = figure.add_subplot(rows, columns, place, xlabel=literal(option))
            if isinstance(values, dict):
                axes.set_xscale("log" if values.get("log") else "linear")
                pairs = [(t.options[option], t) for t in trials if option in t.options]
            else:  # choices stand side by side, in the space's order
                names = [_name(value) for value in values]
                axes.set_xticks(range(len(names)), [*map(literal, names)])
                axes.set_xlim(-0.5, len(names) - 0.5)
                pairs = [
                    (names.index(_name(t.options[option])), t)
                    for t in trials
                    if _name(t.options.get(option)) in names
                ]
            _points(axes, pairs)
            axes.grid(alpha=0.25)
        return svg(figure, "Validation accuracy by option")


def _points(axes: Axes, pairs: Sequence[tuple[float, Trial]]) -> None:
    for state, mark in _MARKS.items():
        chosen = [(x, trial.val_acc) for x, trial in pairs if trial.state == state]
        if chosen:
            x, y = zip(*chosen, strict=True)
            axes.plot(x, y, mark, ls="", ms=5, color=PALETTE[0], alpha=0.8, label=state)


def _name(value: Any) -> str:
    """Formats a choice for the page; lists are stored as text already."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
