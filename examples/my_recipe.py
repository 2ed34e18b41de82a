"""A recipe of your own: AdamW, one cycle of the learning rate, smoothed labels."""

from typing import Any

from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from lit_mnist.data.batches import Batch
from lit_mnist.models import SimpleConvModule


class OneCycleModule(SimpleConvModule):
    """The notebook's simple net; `--model.lr` is the highest rate of the cycle."""

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns the loss that is minimised."""
        return cross_entropy(self(batch.images), batch.labels, label_smoothing=0.1)

    def configure_optimizers(self) -> Any:
        """Warms up and cools down within `--trainer.max_epochs`, a little each step."""
        optimizer = AdamW(self.parameters(), weight_decay=0.01)
        steps = int(self.trainer.estimated_stepping_batches)
        cycle = OneCycleLR(optimizer, max_lr=self.lr, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}
