"""The list of all commands for `--help`."""

from lit_mnist import program
from lit_mnist.command_line.parsers import PARSERS

# LightningCLI's commands, whose options come from signatures
RUN_COMMANDS = {
    "fit": "train a model; the same command again resumes it, or reports that it is complete",
    "validate": "score a trained model on the held-out training images",
    "test": "score it on the test images; write predictions, pictures and results.json",
    "predict": "read the digits in your own pictures: --data.images PATH...",
}
COMMANDS = (*RUN_COMMANDS, *PARSERS)
EXAMPLES = (
    "fit --config simple_plateau",
    "fit --config deep --trainer.max_epochs 10 --model.lr 0.0005 --name slow",
    "fit --config deep --config overlays/gpu --data.dataset FashionMNIST",
    "test --config simple_plateau",
    "predict --config simple_plateau --data.images photo.jpg",
    "committee --config deep --members 5",
    "committee --config fast --folds 5 --skip_test",
    "audit tb_logs/fast/committee_5_folds_5",
    "sweep --config small --space examples/space.yaml --trials 30",
    "export tb_logs/deep/committee_5 --format onnx",
    "demo tb_logs/deep/seed_42",
    "doctor --config deep",
    "runs tb_logs --sort val_acc",
    "compare tb_logs/simple/seed_42 tb_logs/simple_plateau/seed_42",
    "report tb_logs/deep/committee_5 --output deep.html",
)


def text() -> str:
    """Returns the text of `--help`."""
    name = program.name()
    summaries = RUN_COMMANDS | {command: kind.summary for command, kind in PARSERS.items()}
    width = max(map(len, summaries))
    commands = "\n".join(f"  {command:{width}}  {does}" for command, does in summaries.items())
    examples = "\n".join(f"  {name} {example}" for example in EXAMPLES)
    return f"""\
usage: {name} COMMAND --config CONFIG [options]

Trains, tests and applies the networks of the Keras MNIST notebook in PyTorch Lightning.

commands:
{commands}

examples:
{examples}
  tensorboard --logdir tb_logs

A CONFIG is a file, such as configs/deep.yaml, or the name of a shipped one. Later ones
override earlier ones, and options on the command line override all of them. A run is
in tb_logs/NAME/seed_N/. `{name} COMMAND --help` lists every option of a command;
`--version` prints the version.
"""
