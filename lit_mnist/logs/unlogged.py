"""The run's logger in commands that log nothing."""

from typing import Any

from lightning.pytorch.loggers.logger import DummyExperiment

from lit_mnist.logs.run_logger import RunLogger


class Unlogged(RunLogger):
    """Accepts whatever a module draws or logs, as the run's logger does, and writes none of it.

    What `validate` measures would be one more point at step 0 of training's curve.
    """

    @property
    def experiment(self) -> Any:
        """Has TensorBoard's methods, which do nothing."""
        return DummyExperiment()

    def log_metrics(self, *_: Any, **__: Any) -> None:
        """Does nothing."""

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Does nothing."""

    def log_graph(self, *_: Any, **__: Any) -> None:
        """Does nothing."""
