"""Charts of the results: seconds per epoch, and the time of a step or an epoch by part."""

from collections.abc import Sequence
from typing import Any

import measuring  # noqa: F401 # first, as it puts this clone on the path
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from operators import GROUPS, REST

from lit_mnist.reports.figures import DPI, PALETTE, settled

Row = dict[str, Any]  # of a report
OURS, GREY = "fit", "#999999"
LIMIT = "its limit, with validation's"  # how budget.py names it
PARTS = (*GROUPS, REST)
COLOURS = dict(zip(PARTS, (*PALETTE, GREY, "#DDDDDD"), strict=True))


def epochs(result: dict[str, Any]) -> Figure:
    """Draws the seconds of an epoch: one panel per workload, a bar per contender.

    Args:
        result: What epochs.py has written.
    """
    rows = [row for row in result["rows"] if row["unit"] == "s"]
    figure, panels = _panels(f"Seconds of an epoch ({_place(result)})", rows, ": ")
    for axes, bars in panels:
        names = [name.partition(",")[0] for name in bars]
        medians = [row["median"] for row in bars.values()]
        spread = [(row["median"] - row["min"], row["max"] - row["median"]) for row in bars.values()]
        colours = [PALETTE[0] if name == OURS else GREY for name in names]
        style: Any = {"color": colours, "xerr": list(zip(*spread, strict=True))}
        drawn = axes.barh(names, medians, error_kw={"lw": 1}, **style)
        axes.bar_label(drawn, [f"{median:.3g} s" for median in medians], padding=8)
        axes.margins(x=0.2)
    return settled(figure)


def profile(result: dict[str, Any]) -> Figure:
    """Draws the milliseconds of a step by operator, before and after: one panel per network.

    Args:
        result: What operators.py has written.
    """
    rows = [row for row in result["rows"] if not row["what"].endswith(": a step")]
    title = f"Milliseconds of a step on one thread, by operator ({_place(result)})"
    figure, panels = _panels(title, rows, ", ")
    for axes, parts in panels:
        ends = dict.fromkeys((name.partition(": ")[0] for name in parts), 0.0)
        for part in PARTS:
            spent = [parts.get(f"{bar}: {part}", {"median": 0.0})["median"] for bar in ends]
            axes.barh([*ends], spent, left=[*ends.values()], color=COLOURS[part], label=part)
            ends = {bar: end + ms for (bar, end), ms in zip(ends.items(), spent, strict=True)}
        for bar, end in ends.items():
            axes.text(end, bar, f" {end:.3g} ms", va="center")  # type: ignore[arg-type] # a bar's name is a place
        axes.margins(x=0.15)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.3), ncols=5, frameon=False)
    return settled(figure)


def budget(rows: Sequence[Row], parts: Sequence[str]) -> Figure:
    """Draws where an epoch goes: one panel per workload, a bar of its parts, the limit as a line.

    Args:
        rows: What budget.py has measured.
        parts: Their names, as they lie in the bar; one that is below 0 by noise is left out.
    """
    shown = [row for row in rows if row["what"].partition(": ")[2] in (*parts, LIMIT)]
    figure, panels = _panels("Seconds of an epoch of fit, by part", shown, ": ")
    for axes, found in panels:
        end = 0.0
        for part, colour in zip(parts, PALETTE, strict=False):
            seconds = max(0.0, found[part]["median"])
            axes.barh([""], [seconds], left=[end], color=colour, label=part)
            end += seconds
        axes.axvline(found[LIMIT]["median"], color="black", ls="--", label=LIMIT)
        axes.text(end, 0, f" {end:.3g} s", va="center")
        axes.margins(x=0.15)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.3), ncols=4, frameon=False)
    return settled(figure)


def _place(result: dict[str, Any]) -> str:
    return f"{result['hardware'].partition(',')[0]}, torch {result['versions']['torch']}"


def _panels(
    title: str, rows: list[Row], mark: str
) -> tuple[Figure, list[tuple[Axes, dict[str, Row]]]]:
    """Creates a figure with a panel for each text before the mark, and its rows by their names."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        panel, _, name = row["what"].partition(mark)
        found.setdefault(panel, {})[name] = row
    figure = Figure(figsize=(9, 1 + 1.5 * len(found)), dpi=DPI, layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(len(found), squeeze=False)[:, 0]
    for panel, name in zip(axes, found, strict=True):
        panel.set_title(name, loc="left", fontsize="medium")
        panel.invert_yaxis()
        panel.spines[["top", "right"]].set_visible(False)
    return figure, list(zip(axes, found.values(), strict=True))
