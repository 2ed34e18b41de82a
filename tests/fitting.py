"""What tests type to train a recipe, and what they read of its run."""

import csv
from pathlib import Path


def rows(name="dense"):
    with Path("tb_logs", name, "seed_42", "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def column(key, name="dense"):
    return [float(row[key]) for row in rows(name)]


def fitted(outcome):
    status, output, problems = outcome
    assert status == 0, problems
    assert "Traceback" not in problems
    return output


def callback(kind, **options):
    added = [f"--trainer.callbacks+={kind}"]
    return added + [f"--trainer.callbacks.{key}={value}" for key, value in options.items()]


def recipe(name):
    return ("--model", f"tests.recipes.{name}", "--name", name)
