"""ONNX: written by torch, read by onnxruntime."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch.export import ExportedProgram

from lit_mnist.errors import UserError
from lit_mnist.export.formats import INPUT, OUTPUT
from lit_mnist.export.graph import SHAPES, first_line, quiet


def content(program: ExportedProgram, metadata: Mapping[str, str]) -> bytes:
    """Returns the content of the file, including the weights.

    Raises:
        UserError: The network has an operation that ONNX lacks.
    """
    try:
        with quiet():
            onnx = torch.onnx.export(
                program,
                dynamo=True,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=SHAPES,  # names the dynamic dimension
                external_data=False,
                verbose=False,
            )
        assert onnx is not None  # since dynamo=True
        onnx.model.metadata_props.update(metadata)
        return onnx.model_proto.SerializeToString()
    except Exception as error:  # any of its passes may fail, also on a file of over 2 GB
        raise UserError(
            f"ONNX cannot hold the network ({first_line(error)}); take --format pt2 or safetensors"
        ) from error


class Reader:
    """An exported file, loaded by onnxruntime on the CPU."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        self.session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.metadata: dict[str, str] = self.session.get_modelmeta().custom_metadata_map

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Maps images (N, 28, 28) to float32 (N, 10)."""
        (answer,) = self.session.run([OUTPUT], {INPUT: images})
        return answer
