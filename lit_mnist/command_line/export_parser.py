"""The options of `export`, without torch."""

import argparse

from lit_mnist import files
from lit_mnist.command_line.command_parser import path
from lit_mnist.command_line.one_run_parser import OneRun
from lit_mnist.errors import UserError
from lit_mnist.export.formats import FORMATS, PIXELS


class Export(OneRun):
    """The options of `export`."""

    command = "export"
    summary = "write a run, or a committee as one model, to a file that other programs load"
    details = (
        "The file maps 28x28 images to probabilities of the ten classes; scaling is part of it. It"
        " is loaded by its own runtime and compared with the run on 1,000 validation images; if a"
        " probability differs by more than 1e-5, it is removed. MODEL_CARD.md beside it describes"
        " the file that was written last."
    )

    def __init__(self) -> None:
        super().__init__()
        self.add_run("a run's folder, such as tb_logs/deep/seed_42, or a committee's")
        add = self.add_argument
        kinds = (
            "onnx, pt2 (torch.export) or safetensors (weights only); by default that of --output's"
            " suffix, or onnx"
        )
        add("--format", choices=FORMATS, metavar="FORMAT", help=kinds)
        output = "the file (model.onnx, .pt2 or .safetensors in the run's folder)"
        add("--output", type=path, metavar="FILE", help=output)
        pixels = "type of input pixels: uint8 from 0 to 255 (default), or float32 from 0 to 1"
        add("--input", choices=PIXELS, default="uint8", metavar="TYPE", help=pixels)
        data_dir = "folder of the run's data (that of its config)"
        hidden = argparse.SUPPRESS  # options that are refused with a reason
        add("--model.cascade", "--cascade", dest="cascade", nargs="?", const="true", help=hidden)
        add("--data_dir", type=path, metavar="DIR", help=data_dir)

    def check(self, options: argparse.Namespace) -> None:
        """Completes run, format and file.

        Raises:
            UserError: Not exactly one run is given, or the file's suffix does not fit the format.
        """
        super().check(options)
        if options.cascade not in (None, "false"):
            raise UserError(
                "--model.cascade: a model file runs every member, as its graph does the same for"
                " each image of a batch; predict and test can run a cascade"
            )
        output = options.output
        ends = {kind.suffix: name for name, kind in FORMATS.items()}
        options.format = options.format or ends.get(output.suffix if output else "", "onnx")
        suffix = FORMATS[options.format].suffix
        if output and output.suffix != suffix:
            ending = suffix if output.suffix in ends else " or ".join(ends)
            raise UserError(f"--output {output}: give it a name that ends in {ending}")
        if output and output.is_dir():
            raise UserError(f"--output {output}: is a folder; name a file")
        if output and files.is_irregular(output):
            raise UserError(f"--output {output}: is no regular file; choose another name")
