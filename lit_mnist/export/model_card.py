"""MODEL_CARD.md: the model card of a file, in the form of the Hugging Face hub."""

import hashlib
import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lit_mnist.export import card_calibration, card_sections
from lit_mnist.export.agreement import ValidationData
from lit_mnist.export.facts import Facts

NAME = "MODEL_CARD.md"
# Names of data sets on the hub
HUB_NAMES = {"MNIST": "ylecun/mnist", "FashionMNIST": "zalando-datasets/fashion_mnist"}
_MARK = "# By lit-mnist export. SHA-256 of what follows: "
_MARKED = re.compile(rf"---\n{re.escape(_MARK)}([0-9a-f]{{64}})\n")


class ModelFile(NamedTuple):
    """The file that a card describes.

    Attributes:
        name: Name of the file.
        format: A key of `FORMATS`.
        pixels: A key of `PIXELS`.
        bytes: Size of the file.
        seconds: Time to write, load and compare it.
        difference: Largest difference of a probability from the run's.
        picture: File name of the picture of misclassified images; empty if there is none.
    """

    name: str
    format: str
    pixels: str
    bytes: int
    seconds: float
    difference: float
    picture: str


def text(facts: Facts, file: ModelFile, data: ValidationData) -> str:
    """Formats the card."""
    head = yaml.safe_dump(_head(facts, file), sort_keys=False, allow_unicode=True)
    sections = [
        card_sections.introduction(facts),
        card_sections.use(facts, file.name, file.format, file.pixels),
        card_sections.scores(facts, data.val_count),
        card_calibration.calibration(facts),
        card_sections.checked(file.bytes, file.seconds, file.difference, len(data.images)),
        card_sections.data(facts, data),
        card_sections.recipe(facts),
        card_sections.failures(facts, file.picture),
        card_sections.LICENCE,
    ]
    body = f"{head}---\n\n" + "\n".join(sections)
    return f"---\n{_MARK}{_sha256(body)}\n{body}"


def is_user_written(path: Path) -> bool:
    """Returns whether `path` exists and was not written by `export`, or was edited since."""
    if not path.exists():
        return False
    content = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    mark = _MARKED.match(content)
    return not mark or mark[1] != _sha256(content[mark.end() :])


def _sha256(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _head(facts: Facts, file: ModelFile) -> dict[str, Any]:
    dataset = facts.trained.dataset
    hub_name = HUB_NAMES.get(dataset, dataset.lower())
    model: dict[str, Any] = {"name": f"{facts.name}-{facts.run.folder.name}", "results": []}
    for split, values in card_sections.metrics(facts).items():
        model["results"].append(
            {
                "task": {"type": "image-classification"},
                "dataset": {"name": dataset, "type": hub_name, "split": split},
                "metrics": [
                    {"type": kind, "value": value, "name": f"{split} {kind}"}
                    for kind, value in values.items()
                ],
            }
        )
    return {
        "license": "mit",
        "pipeline_tag": "image-classification",
        "tags": ["mnist", "image-classification", "pytorch", "lightning", file.format],
        "datasets": [hub_name],
        "metrics": ["accuracy"],
        "model-index": [model],
    }
