"""A recipe whose rate changes with each step of the optimizer, for the check that kills it."""

from typing import Any

from torch.optim import Adam
from torch.optim.lr_scheduler import OneCycleLR

from lit_mnist.models.modules import SimpleConvModule


class OneCycleModule(SimpleConvModule):
    """The small convolutional net; its rate rises and falls once.

    Args:
        total_steps: Steps of the optimizer in the whole training.
        max_lr: The highest rate.
    """

    def __init__(self, total_steps: int, max_lr: float = 0.01, **recipe: Any) -> None:
        super().__init__(**recipe)
        self.total_steps, self.max_lr = total_steps, max_lr

    def configure_optimizers(self) -> Any:
        """Returns Adam and the schedule, which is stepped with Adam."""
        optimizer = Adam(self.parameters(), lr=self.max_lr)
        schedule = OneCycleLR(optimizer, self.max_lr, self.total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
