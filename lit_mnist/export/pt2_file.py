"""PyTorch's archive format for graphs, written and read by torch.export."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch.export import ExportedProgram

from lit_mnist.export.graph import quiet

METADATA = "metadata.json"


def content(program: ExportedProgram, metadata: Mapping[str, str]) -> bytes:
    """Returns the content of the file."""
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(program, buffer, extra_files={METADATA: json.dumps(dict(metadata))})
    return buffer.getvalue()


class Reader:
    """An exported file, loaded by torch.export without this package's code."""

    def __init__(self, path: Path) -> None:
        extra = {METADATA: ""}
        with path.open("rb") as file:  # given a path, torch warns of any suffix but .pt2
            program = torch.export.load(io.BytesIO(file.read()), extra_files=extra)
        self.module = program.module()
        self.metadata: dict[str, str] = json.loads(extra[METADATA])

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Maps images (N, 28, 28) to float32 (N, 10)."""
        with torch.no_grad():
            return self.module(torch.from_numpy(images)).numpy()
