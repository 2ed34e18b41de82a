"""The table of the notebook's results beside ours, and its two pictures."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_mnist import files
from lit_mnist.reports import figures, plots
from lit_mnist.reports.notebook import System
from lit_mnist.reports.statistics import mean_sd, wilson_interval
from lit_mnist.runs.folder import Run
from lit_mnist.runs.run_config import flat, read_config

Done = tuple[System, Sequence[Path]]  # a system and its runs' folders, a committee's own last
SCORES = ("test_acc", "test_acc_ci95", "test_loss", "test_errors", "test_images", "test_reads")
NOTEBOOKS_DATASET = "MNIST"
TABLE = "tutorial.md"
FILES = (TABLE, "tutorial.json", "tutorial_curves.png", "tutorial_gallery.png")
HEAD = """# The notebook's systems, and ours

Each single network is its run with the first seed, the epoch with the best validation\
 accuracy; the notebook reads its last epoch. A committee averages its members' probabilities.\
 The interval is Wilson's for one test on {images} images; mean ± sd is over the runs, which for\
 a committee are its members. Augmentation interpolates bilinearly, as Keras does today, or\
 takes the nearest pixel, as Keras did before 2.1.3. Nothing was chosen on the test set.

| system | augmentation | epochs | notebook: acc / loss | test acc | 95 % interval\
 | test loss | errors | runs: mean ± sd | seeds | training |
|---|---|---|---|---|---|---|---|---|---|---|"""


def write(folder: Path, done: Sequence[Done], options: str = "") -> None:
    """Writes `FILES`, the table first, by which the others are known to be the program's.

    Args:
        folder: The folder to write to.
        done: The trained and tested systems.
        options: The user's options that change the training of each of them.
    """
    facts = {system.name: _facts(system, folders, options) for system, folders in done}
    files.write_text(folder / TABLE, markdown(facts))
    files.write_json(folder / "tutorial.json", facts)
    runs = {system: Run(folders[_shown(system)]) for system, folders in done}
    histories = {one.title: run.history() for one, run in runs.items() if one.members == 1}
    accuracy = {one.title: run.results()["test_acc"] for one, run in runs.items()}
    picture = plots.curves(histories, accuracy, losses=False)  # of many systems, beside a table
    figures.save(picture, folder / "tutorial_curves.png")
    for system, run in runs.items():
        if system.name == "committee_deep":
            with files.replacing(folder / "tutorial_gallery.png") as temporary:
                shutil.copyfile(run.file("misclassified.png"), temporary)


def _shown(system: System) -> int:
    """Returns the place of a system's result among its runs: its first network, or committee."""
    return 0 if system.members == 1 else -1


def _facts(system: System, folders: Sequence[Path], options: str) -> dict[str, Any]:
    """Collects the results of a system's runs."""
    results = [Run(folder).results() for folder in folders]
    shown = results[_shown(system)]
    runs = results if system.members == 1 else results[:-1]
    accuracy, loss = (mean_sd(run[key] for run in runs) for key in ("test_acc", "test_loss"))
    config = flat(read_config(Run(folders[0]).config_yaml))
    # older runs lack this option
    interpolation = str(config.get("data.interpolation", "bilinear"))
    return {
        "title": system.title,
        "notebook": {"acc": system.accuracy, "loss": system.loss, "note": system.note},
        "ours": {key: shown[key] for key in SCORES},
        "options": options,
        "dataset": str(config.get("data.dataset", NOTEBOOKS_DATASET)),
        "augmentation": interpolation if config.get("data.augment") else "",
        "seeds": [run["seed"] for run in runs],
        "runs": [{key: run[key] for key in ("seed", "epochs", *SCORES)} for run in runs],
        "mean_acc": accuracy[0],
        "sd_acc": accuracy[1] if len(runs) > 1 else None,
        "mean_loss": loss[0],
        "sd_loss": loss[1] if len(runs) > 1 else None,
        "seconds": round(sum(run["seconds"] for run in runs), 1),
        # not known of a run whose results.json was lost
        "precision": sorted({run["precision"] for run in runs if "precision" in run}),
        "hardware": sorted({run["hardware"] for run in runs if "hardware" in run}),
        "versions": shown.get("versions", {}),
    }


def markdown(facts: dict[str, Any]) -> str:
    """Formats the table from the content of `tutorial.json`."""
    pictures = ["![accuracy per epoch](tutorial_curves.png)"]
    if "committee_deep" in facts:
        pictures.append("![errors of the deep committee](tutorial_gallery.png)")
    tested = sorted({row["ours"]["test_images"] for row in facts.values()})
    head = HEAD.format(images=" or ".join(f"{count:,}" for count in tested))
    lines = [head, *map(_row, facts.values()), "", *_notes(facts), "", *pictures, ""]
    return "\n".join(lines)


def _notes(facts: dict[str, Any]) -> list[str]:
    """Returns the notes on the notebook's results, and on the setup of ours."""
    notes = [
        f"- {row['title']}, notebook: {row['notebook']['note']}."
        for row in facts.values()
        if row["notebook"]["note"]
    ]
    for options in sorted({row.get("options", "") for row in facts.values()} - {""}):
        notes.append(f"- Trained with other options than the notebook's: `{options}`.")
    names = {row.get("dataset", NOTEBOOKS_DATASET) for row in facts.values()}
    if others := sorted(names - {NOTEBOOKS_DATASET}):
        named = ", ".join(others)
        notes.append(f"- Trained and tested on {named}; the notebook on {NOTEBOOKS_DATASET}.")
    places = sorted({place for row in facts.values() for place in row["hardware"]})
    kinds = sorted({kind for row in facts.values() for kind in row["precision"]})
    versions = sorted(
        {", ".join(f"{k} {v}" for k, v in row["versions"].items()) for row in facts.values()}
    )
    made_with = [*places, f"precision {', '.join(kinds)}" if kinds else "", *versions]
    known = "; ".join(filter(None, made_with))
    return [*notes, f"- {known}."] if known else notes


def _row(row: dict[str, Any]) -> str:
    ours, theirs = row["ours"], row["notebook"]
    count = ours["test_images"]
    low, high = wilson_interval(count - ours["test_errors"], count)
    spread = "" if row["sd_acc"] is None else f"{row['mean_acc']:.4f} ± {row['sd_acc']:.4f}"
    first, last = row["seeds"][0], row["seeds"][-1]
    seeds = f"{first}" if first == last else f"{first} to {last}"
    epochs = " or ".join(str(count) for count in sorted({run["epochs"] for run in row["runs"]}))
    figures = (
        row["title"],
        row["augmentation"],
        epochs,
        f"{theirs['acc']:.4f} / {theirs['loss']:.4f}",
        f"{ours['test_acc']:.4f}",
        f"{low:.4f} to {high:.4f}",
        f"{ours['test_loss']:.4f}",
        str(ours["test_errors"]),
        spread,
        seeds,
        f"{row['seconds'] / 60:.1f} min",
    )
    return f"| {' | '.join(figures)} |"
