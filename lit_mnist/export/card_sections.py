"""The sections of a model card, from the run's own files."""

import json
from typing import Any

from lit_mnist.export.agreement import ValidationData
from lit_mnist.export.card_table import table
from lit_mnist.export.facts import Facts
from lit_mnist.export.snippets import SNIPPETS
from lit_mnist.models import own_steps

LICENCE = """## Licence

MIT, as the program that made it, unless whoever trained it says otherwise. The images that it was
trained on have a licence of their own.
"""


MACHINES = ("channels_last", "compile")  # options of the network that depend on the machine
TRAINER = ("gradient_clip_val", "accumulate_grad_batches")  # options of the trainer to list


def introduction(facts: Facts) -> str:
    """Formats the introduction: what the model is."""
    kinds, count = sorted(set(facts.networks)), len(facts.networks)
    named = f"{count} {kinds[0]}" if len(kinds) == 1 else f"{count} ({', '.join(kinds)})"
    if count == 1:
        kind = f"A {kinds[0]} network"
    elif facts.trained.average == "vote":
        kind = f"A committee of {named} networks, which vote,"
    else:
        kind = f"A committee of {named} networks, whose {facts.trained.average} are averaged,"
    return f"""# {facts.name}

{kind} that classifies 28x28 greyscale images of {facts.trained.dataset}. Trained with lit-mnist, a
PyTorch Lightning framework for the MNIST family.
"""


def use(facts: Facts, name: str, kind: str, pixels: str) -> str:
    """Formats the section about loading the file."""
    classes = ", ".join(facts.trained.labels)
    unused = own_steps.unused(facts.trained.checkpoints[0], facts.own_steps)
    lacks = f"\n{unused}.\n" if unused else ""
    snippet = SNIPPETS[kind].format(name=json.dumps(name), pixels=pixels, **_own_classes(facts))
    return f"""## Use

Images are light on dark, centred as in {facts.trained.dataset}; scaling is part of the file. The
ten probabilities are of the classes {classes}.

```python
{snippet}```
{lacks}"""


def _own_classes(facts: Facts) -> dict[str, str]:
    """Returns the imports and the argument of `load` for classes that are not this package's."""
    kinds = sorted({(kind.__module__, kind.__name__) for kind in facts.trained.classes})
    names = [name for _, name in kinds]
    lines = [f"from {module} import {name}\n" for module, name in kinds]
    if len(set(names)) < len(names):  # two modules have a class of one name
        names = [f"{module}.{name}" for module, name in kinds]
        lines = [f"import {module}\n" for module in sorted({module for module, _ in kinds})]
    return {
        "imports": "".join(lines),
        "classes": f", classes=[{', '.join(sorted(names))}]" if kinds else "",
    }


def metrics(facts: Facts) -> dict[str, dict[str, float]]:
    """Returns accuracy and, where known, loss for each split."""
    found: dict[str, dict[str, float]] = {}
    if not facts.untested:
        found["test"] = {
            "accuracy": facts.results["test_acc"],
            "loss": facts.results["test_loss"],
        }
    if (val_acc := _best_val_acc(facts)) is not None:
        found["validation"] = {"accuracy": val_acc}
    return found


def scores(facts: Facts, val_count: int) -> str:
    """Formats the section about the scores."""
    results, rows = facts.results, []
    if not facts.untested:
        rows.append(_row("test", results))
        rows += [_row(f"test: {one['run']} alone", one) for one in results.get("members", [])]
    if (val_acc := _best_val_acc(facts)) is not None:
        name = "validation, which chose the epoch"
        count = int(facts.trained.scores[0].get("images", val_count))  # fewer under a limit
        rows.append([name, f"{count:,}", f"{val_acc:.4f}", "", "", ""])
    head = ["images", "count", "accuracy", "95 % interval", "loss (nats)", "errors"]
    note = f"No test counts for this file: {facts.untested}.\n" if facts.untested else ""
    if "test_reads" in results and not facts.untested:
        note = f"Reads of the test images in the run's ledger: {results['test_reads']}.\n"
    return "\n".join(["## Scores", "", *table(head, rows), note])


def _best_val_acc(facts: Facts) -> float | None:
    """Returns the validation accuracy that chose exactly these weights; None if none did.

    None as well if a validation_step of the run's own has scored it, which the file lacks.
    """
    if facts.trained.paths != [facts.run.best] or "validation_step" in facts.own_steps:
        return None
    return facts.trained.scores[0].get("val_acc")


def _row(name: str, test: dict[str, Any]) -> list[str]:
    low, high = test["test_acc_ci95"]
    count, errors = f"{test['test_images']:,}", f"{test['test_errors']:,}"
    interval = f"{low:.4f} to {high:.4f}"
    return [name, count, f"{test['test_acc']:.4f}", interval, f"{test['test_loss']:.4f}", errors]


def checked(size: int, seconds: float, difference: float, images: int) -> str:
    """Formats the section about the check of the file."""
    return f"""## Checked

The file ({size / 1e6:.1f} MB) was loaded by its own runtime and compared with the run on {images:,}
validation images, in batches of 1, 7 and 500. The largest difference of a probability was
{difference:.1e}. Writing, loading and comparing took {seconds:.0f} s.
"""


def data(facts: Facts, counts: ValidationData) -> str:
    """Formats the section about the training data."""
    options = facts.data
    moved = "randomly rotated, shifted and zoomed" if options.get("augment") else "as they are"
    also = [name for name in ("shear", "elastic") if options.get("augment") and options.get(name)]
    moved += "".join(f", {name} {options[name]}" for name in also)
    digest = facts.results.get("data_sha256", "")
    part = " by each network, another part of several" if _of_folds(facts) else ""
    return f"""## Data

{facts.trained.dataset}: of its training images, {counts.train_count:,} were trained on, {moved},
and {counts.val_count:,} held out for validation{part} (split seed {options.get("split_seed", 42)}).
{f"SHA-256 of the training files' hashes: `{digest}`." if digest else ""}
"""


def _of_folds(facts: Facts) -> bool:
    """Returns whether the networks of a committee were validated on different folds."""
    return len({one.get("fold") for one in facts.members}) > 1


def recipe(facts: Facts) -> str:
    """Formats the section about training; for a committee, about its first network."""
    model, trainer = facts.config.get("model"), facts.config.get("trainer") or {}
    options = model.get("init_args", {}) if isinstance(model, dict) else {}
    first = facts.members[0]
    values = {
        "network": facts.networks[0],
        **{key: value for key, value in options.items() if key not in MACHINES},
        "batch size": facts.data.get("batch_size"),
        "epochs": first.get("epochs") or trainer.get("max_epochs"),
        "best epoch": facts.trained.scores[0].get("epoch"),
        "seeds": ", ".join(str(one.get("seed", "?")) for one in facts.members),
        "precision": first.get("precision"),
        "hardware": first.get("hardware"),
        "seconds": first.get("seconds"),
        "versions": ", ".join(f"{k} {v}" for k, v in (first.get("versions") or {}).items()),
    }
    values |= {key: trainer.get(key) for key in TRAINER}
    rows = [[name, str(value)] for name, value in values.items() if value not in (None, "")]
    of_first = " of its first network" if len(facts.members) > 1 else ""
    return "\n".join([f"## Recipe{of_first}", "", *table(["option", "value"], rows)])


def failures(facts: Facts, picture: str) -> str:
    """Formats the section about known failures."""
    text = """## Known failures

The ten probabilities always sum to one: a prediction can be not sure, but it cannot say that an
image shows none of the classes, or several.
"""
    if picture:
        text += f"""
The misclassified test images: true label blue, predicted red.

![misread test images](<{picture}>)
"""
    return text
