"""The options of a run that a command will train and test, resolved; refuses what cannot be."""

from collections.abc import Mapping
from typing import Any

from lit_mnist.command_line.dependency_errors import explaining
from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.commands.options import RunOptions
from lit_mnist.errors import UserError
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.workarounds.applied import applied

# Even a run that trains on several devices is inspected and tested by this one process
ONE_PROCESS: dict[str, object] = {
    "trainer.devices": 1,
    "trainer.num_nodes": 1,
    "trainer.strategy": "auto",
}


class ResolvedRun(RunOptions):
    """A LightningCLI that parses options and instantiates what they name, but runs nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Runs nothing."""

    def before_instantiate_classes(self) -> None:
        """Refuses options that keep no weights or test only some images, before it starts."""
        super().before_instantiate_classes()
        check_tested_whole(self.config["fit"]["trainer"])


def resolve(spec: RunSpec) -> ResolvedRun:
    """Resolves the options of a run for one process.

    Raises:
        UserError: An option is wrong, or not for a run that is trained and then tested.
    """
    with explaining(), applied():
        found = ResolvedRun(spec.with_settings(ONE_PROCESS).argv("fit"))
    if isinstance(found.model, EnsembleModule):
        raise UserError("--model EnsembleModule: is not trained; name the --config of its members")
    if found.config["fit"]["ckpt_path"]:
        raise UserError("--ckpt_path: each run has its own best.ckpt and last.ckpt; leave it out")
    return found


def check_tested_whole(trainer: Mapping[str, Any]) -> None:
    """Checks that a run will leave weights, and be tested on all images.

    Args:
        trainer: The parsed options of the trainer.

    Raises:
        UserError: Naming the option.
    """
    if trainer["fast_dev_run"]:
        raise UserError("--trainer.fast_dev_run: leaves no weights to test; use it with fit")
    if trainer["enable_checkpointing"] is False:
        raise UserError(
            "--trainer.enable_checkpointing false: leaves no weights to test; use it with fit"
        )
    part = trainer["limit_test_batches"]
    if part is not None and repr(part) != "1.0":  # 1.0 means all images; 1 means a single batch
        raise UserError(
            f"--trainer.limit_test_batches {part}: would test only some of the images; leave it"
            " out, or use it with test"
        )
