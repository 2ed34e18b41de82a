"""The ladder as a table and a chart, with this project's other systems and published points."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import measuring  # noqa: F401 # first, as it puts this clone on the path
from ladder_points import PUBLISHED, Point, systems
from matplotlib.figure import Figure

from lit_mnist import files
from lit_mnist.reports import figures
from lit_mnist.reports.statistics import mean_sd


class Rung(NamedTuple):
    """How often the config of its name is trained, and its targets."""

    seeds: int
    accuracy: float  # at least
    seconds: float  # at most, on a CPU
    gpu_seconds: float | None = None  # likewise on a GPU


Rungs = Mapping[str, Rung]
Result = Mapping[str, Any]  # what ladder.py writes
HEAD = (
    "| rung | command | n | validation accuracy | target | seconds of training | target "
    "| commit |\n"
    "|---|---|---|---|---|---|---|---|"
)


def spread(result: Result, name: str, of: str) -> tuple[float, float]:
    """Returns mean and standard deviation of a rung's runs; the latter is NaN for one run.

    Raises:
        ValueError: It has no runs.
    """
    return mean_sd(run[of] for run in result["runs"] if run["rung"] == name)


def climbed(result: Result, rungs: Rungs) -> list[str]:
    """Lists the rungs that have runs."""
    rungs_run = {run["rung"] for run in result["runs"]}
    return [name for name in rungs if name in rungs_run]


def table(result: Result, rungs: Rungs) -> str:
    """Formats one line per rung, in Markdown."""
    lines = [HEAD]
    for name in climbed(result, rungs):
        rung, runs = rungs[name], [run for run in result["runs"] if run["rung"] == name]
        option = "".join(f" {part}" for part in runs[0]["options"])
        accuracy, seconds = (spread(result, name, of) for of in ("val_acc", "seconds"))
        reached = "met" if round(accuracy[0], 6) >= rung.accuracy else "missed"
        on_cpu = "thread" in runs[0]["hardware"]  # of which `device_name` gives the threads
        limit = rung.seconds if on_cpu else rung.gpu_seconds
        in_time = f"{limit:g}, {'met' if seconds[0] <= limit else 'missed'}" if limit else ""
        cells = [
            *(name, f"`fit --config configs/{runs[0]['config']}.yaml{option}`", str(len(runs))),
            *(_with_sd(*accuracy, digits=4), f"{rung.accuracy:.3f}, {reached}"),
            *(_with_sd(*seconds, digits=1), in_time, runs[0]["commit"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_sd(mean: float, sd: float, digits: int) -> str:
    return f"{mean:.{digits}f}" + ("" if math.isnan(sd) else f" ± {sd:.{digits}f}")


def page(result: Result, rungs: Rungs, picture: str) -> str:
    """Formats the whole page, in Markdown."""
    runs = result["runs"]
    loads = sorted(run["load"] for run in runs)
    places = "\n".join(dict.fromkeys(f"- {_place(run)}" for run in runs))
    points = [*systems(), *PUBLISHED]
    others = "\n".join(
        f"- {one.name}: {100 * one.test_acc:.5g} % in {_seconds(one)} s ({one.source})"
        for one in points
    )
    return f"""# The ladder

Validation accuracy of the last epoch, on 10,000 images, and the seconds that `fit` records itself:
training and the validation in between, without the start of the program and the files that it
writes. Mean ± sd over n seeds. The test set was not read. The targets of seconds were set for
two cores with AVX-512, or for a GPU.

{table(result, rungs)}

{places}
- The load of the machine when a run began was {loads[0]:.1f} to {loads[-1]:.1f}.

![accuracy against seconds]({picture})

The other points of the chart are accuracies on the test set, each on the hardware named:

{others}
"""


def _place(run: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    return f"{run['dataset']}; {run['hardware']}; precision {run['precision']}; {versions}."


def _seconds(point: Point) -> str:
    return f"{point.seconds:,.0f}" if point.seconds >= 100 else f"{point.seconds:.3g}"


def chart(result: Result, rungs: Rungs) -> Figure:
    """Draws accuracy against seconds: the rungs with their spread, and the other points."""
    figure = Figure(figsize=(9, 6), dpi=figures.DPI, layout="constrained")
    axes = figure.subplots()
    names = climbed(result, rungs)
    both = [[spread(result, name, of) for name in names] for of in ("seconds", "val_acc")]
    (seconds, wide), (accuracies, high) = ([[*v] for v in zip(*each, strict=True)] for each in both)
    label = "rungs, validation: " + ", ".join({run["hardware"]: 0 for run in result["runs"]})
    style: dict[str, Any] = {"color": figures.PALETTE[0], "capsize": 3, "zorder": 3}
    bars: dict[str, Any] = {"xerr": [*map(_bar, wide)], "yerr": [*map(_bar, high)]}
    axes.errorbar(seconds, accuracies, fmt="o", label=label, **bars, **style)
    for name, x, y in zip(names, seconds, accuracies, strict=True):
        left: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "va": "center"}
        axes.annotate(name, (x, y), (-12, 0), fontsize=8, **left)
    here_label = "the notebook's systems here, test"
    published_label = "published, test: hardware as named"
    for points, text, place in ((systems(), here_label, 1), (PUBLISHED, published_label, 2)):
        _scatter(axes, points, text, figures.PALETTE[place])
    axes.set(xscale="log", xlabel="seconds of training", ylabel="accuracy")
    axes.margins(x=0.15)
    axes.grid(alpha=0.3, which="both")
    axes.legend(loc="lower right", fontsize=8)
    return figures.settled(figure)


def _scatter(axes: Any, points: Sequence[Point], text: str, colour: str) -> None:
    seconds, accuracies = [one.seconds for one in points], [one.test_acc for one in points]
    axes.scatter(seconds, accuracies, color=colour, marker="s", s=18, label=text)
    for one in points:
        short = one.source.partition(";")[0].partition(",")[0]
        name, dy = (f"{one.name} ({short})", -9) if one in PUBLISHED else (one.name, 4)
        place = (one.seconds, one.test_acc)
        # theirs to the left of ours; but for the quickest, which would leave the picture
        dx, side = (-5, "right") if one in PUBLISHED and one.seconds > 10 else (5, "left")
        axes.annotate(name, place, (dx, dy), textcoords="offset points", fontsize=7, ha=side)


def _bar(sd: float) -> float:
    return 0.0 if math.isnan(sd) else sd


def write(path: Path, rungs: Rungs) -> None:
    """Writes the page and the chart beside the JSON of a path."""
    result, picture = json.loads(path.read_text()), path.with_suffix(".png")
    files.write_text(path.with_suffix(".md"), page(result, rungs, picture.name))
    figures.save(chart(result, rungs), picture)
