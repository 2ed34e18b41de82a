"""The entry point: answers `--help` at once and leaves everything else to `lit_mnist.cli`.

Importing Lightning takes seconds, so nothing here does until a command is to run.
"""

import difflib
import os
import signal
import sys
from importlib.metadata import version

from lit_mnist.errors import UserError

HELP = """\
usage: python cli.py COMMAND --config configs/NAME.yaml [options]

Trains, tests and applies the networks of the Keras MNIST notebook in PyTorch Lightning.

commands:
  fit        train a model; the same command again resumes it, or says that it is complete
  validate   score a trained model on the 10,000 held-out training images
  test       score it on the 10,000 test images; writes predictions, pictures and results.json
  predict    name the digits in your own image files: --data.images FILE...

examples:
  python cli.py fit --config configs/simple_plateau.yaml
  python cli.py test --config configs/simple_plateau.yaml
  python cli.py predict --config configs/simple_plateau.yaml --data.images digit.png
  python cli.py fit --config configs/deep.yaml --config configs/overlays/gpu.yaml
  tensorboard --logdir tb_logs

options that most people use:
  --config FILE             a system from configs/; more of them are laid on top of each other
  --trainer.max_epochs N    how long to train
  --model.lr RATE           Adam's learning rate
  --data.dataset NAME       MNIST, FashionMNIST, KMNIST, EMNIST or QMNIST
  --data.batch_size N       images in a step (86)
  --seed_everything N       seed of weights, order, augmentation and dropout (42)
  --name NAME               the run's name (the config file's)
  --fresh                   replace a run instead of resuming it

A run lies in tb_logs/NAME/seed_N/. `python cli.py COMMAND --help` lists every option of a command;
what stands on the command line always wins over the files. `--version` tells the version.
"""
COMMANDS = ("fit", "validate", "test", "predict")


def main(argv: list[str] | None = None) -> int:
    """Runs the program and gives its exit status: 0, or 2 for what the user can mend."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if argv[0] == "--version":
        print(f"lit-mnist {version('lit-mnist')}")
        return 0
    try:
        _check_command(argv[0])
        from lit_mnist.cli import run

        run(argv)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # such as `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a full disk, a folder that may not be written to
        place = error.filename or "a file"
        print(f"error: {place}: {error.strerror}; make room or choose another", file=sys.stderr)
        return 2
    return 0


def _check_command(name: str) -> None:
    if name in COMMANDS:
        return
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"take one of {', '.join(COMMANDS)}"
    raise UserError(f"{name}: no such command; {hint}")
