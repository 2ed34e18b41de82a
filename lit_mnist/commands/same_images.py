"""Whether a run was trained on the images and labels that are on disk now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lit_mnist.data import download
from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.read import files_sha256
from lit_mnist.errors import UserError
from lit_mnist.runs.folder import Run

REMEDY = "replace it with --fresh, choose another --name, or name their folder: --data.data_dir"


def check(run: Run, data: Mapping[str, Any], trained_on: str, remedy: str = REMEDY) -> None:
    """Refuses a run that was trained on other images or labels.

    Args:
        run: The folder.
        data: The options of the data module.
        trained_on: Hash of the files that it was trained on; empty if not known.
        remedy: What the user can do.

    Raises:
        UserError: Naming the run, or the file that is damaged.
    """
    spec, data_dir = DATASETS[data["dataset"]], Path(data["data_dir"])
    now = files_sha256(spec, "train", spec.folder(data_dir))
    if not trained_on or now in ("", trained_on):  # or they are not at hand
        return
    # A damaged file is no other image, and training would fetch it again
    if download.load(spec.name, "train", data_dir, data["download"]).sha256 != trained_on:
        raise UserError(
            f"{run.folder} was trained on other images or labels than {spec.folder(data_dir)}"
            f" holds now; {remedy}"
        )
