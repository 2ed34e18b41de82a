"""Values that a module logs by itself."""

import torch

from lit_mnist.models import DenseModule


class Finishing(DenseModule):
    """Logs an epoch's values at its end, and sets its weights at the end of training."""

    def on_train_epoch_end(self):
        self.log("train_acc", 0.5)
        self.log("lr", 0.25)

    def on_train_end(self):
        self.net[1].weight.data.fill_(0.5)


class LogsDoubles(DenseModule):
    """Logs values in float64 and in float32."""

    def training_step(self, batch, batch_idx):
        value = torch.tensor(1.23456789012345, dtype=torch.float64)
        self.log("double", value, on_step=False, on_epoch=True, reduce_fx="max")
        self.log("single", value.float(), on_step=False, on_epoch=True, reduce_fx="max")
        return super().training_step(batch, batch_idx)


class LogsSeconds(DenseModule):
    """Logs under the names of two columns that the program measures."""

    def on_train_batch_start(self, batch, batch_idx):
        self.log("seconds", 1234.5)
        self.log("epoch", float(self.current_epoch + 1), on_step=True, on_epoch=True)


class ScoresNaN(DenseModule):
    """Logs no number as val_acc, but in its second epoch."""

    def validation_step(self, batch, batch_idx):
        known = self.trainer.state.fn == "fit" and self.current_epoch == 1
        self.log("val_acc", 0.5 if known else float("nan"))
        self.log("val_loss", 1.0)

    def test_step(self, batch, batch_idx):
        self.log_dict({"test_acc": float("nan"), "test_loss": float("nan")})


class LogsRarely(DenseModule):
    """Logs by name in one epoch only: of each step, of its last, at its start and at its end."""

    def on_train_epoch_start(self):
        if self.current_epoch == 0:
            self.log("start", 1.0)

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        if self.current_epoch == 0:
            self.log("both", 2.0, on_step=True, on_epoch=True)
        if self.current_epoch == 1 and batch_idx == 2:
            self.log("step", 3.0)
            self.log("early", 3.5, on_step=True, on_epoch=True)
        return loss

    def on_validation_epoch_end(self):
        if self.current_epoch == 1:
            self.log("validated", 4.0)

    def on_train_epoch_end(self):
        if self.current_epoch == 1:
            self.log("end", 5.0)


class SavesThenLogs(DenseModule):
    """Saves a checkpoint at each epoch's end, and logs only then."""

    def on_train_epoch_end(self):
        self.trainer.save_checkpoint(f"{self.current_epoch}.ckpt")
        self.log("after", float(self.current_epoch))
