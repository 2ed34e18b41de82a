"""Modules of a user whose training depends on state that is easily lost at a resume."""

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lit_mnist.models import DenseModule


class ReadsMetrics(DenseModule):
    """Sets its rate by the last scores: of the validation, and of the epoch before."""

    def on_train_batch_start(self, batch, batch_idx):
        metrics = self.trainer.callback_metrics
        factor = metrics.get("val_acc", torch.tensor(0.5)) / metrics.get("train_loss", 1)
        for group in self.optimizers().param_groups:
            group["lr"] = 0.002 * float(factor)


class PatientPlateau(DenseModule):
    """A plateau of a value that not every epoch measures."""

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters(), lr=0.01)
        plateau = ReduceLROnPlateau(adam, patience=0, factor=0.5)
        schedule = {"scheduler": plateau, "monitor": "val_loss", "strict": False}
        return {"optimizer": adam, "lr_scheduler": schedule}
