"""Modules and callbacks as a user might write them, for tests of the real program."""

import random

import numpy as np
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import (
    BaseFinetuning,
    EarlyStopping,
    GradientAccumulationScheduler,
    ModelCheckpoint,
    SpikeDetection,
    StochasticWeightAveraging,
    Timer,
)
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)
from torchmetrics.classification import MulticlassAccuracy

from lit_mnist.models import DenseModule


class Cosine(DenseModule):
    """A schedule stepped per epoch."""

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters(), lr=0.002)
        return {"optimizer": adam, "lr_scheduler": CosineAnnealingLR(adam, T_max=4)}


class OneCycle(DenseModule):
    """A schedule stepped per step, its own loss, and hooks without super()."""

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self(batch.images), batch.labels, label_smoothing=0.1)

    def on_train_epoch_end(self):
        """Does nothing."""

    def on_save_checkpoint(self, checkpoint):
        """Does nothing."""

    def configure_callbacks(self):
        return []

    def configure_optimizers(self):
        adam = torch.optim.AdamW(self.parameters(), lr=0.01)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = {"scheduler": OneCycleLR(adam, 0.01, total_steps=steps), "interval": "step"}
        return {"optimizer": adam, "lr_scheduler": schedule}


class ShortCycle(DenseModule):
    """OneCycleLR over two epochs, regardless of the length of training."""

    def configure_optimizers(self):
        adam = torch.optim.AdamW(self.parameters())
        schedule = {"scheduler": OneCycleLR(adam, 0.01, total_steps=18), "interval": "step"}
        return {"optimizer": adam, "lr_scheduler": schedule}


class WholeCosine(DenseModule):
    """A cosine schedule over the whole training."""

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters())
        cosine = CosineAnnealingLR(adam, T_max=self.trainer.max_epochs)
        return {"optimizer": adam, "lr_scheduler": cosine}


class WholeSteps(DenseModule):
    """Lowers the rate in the middle of training."""

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters())
        return [adam], [StepLR(adam, self.trainer.max_epochs // 2)]


class WholeLine(DenseModule):
    """Lowers the rate to zero, step by step, by a function."""

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters())
        steps = self.trainer.estimated_stepping_batches
        line = LambdaLR(adam, lambda step: 1 - step / steps)
        return [adam], [{"scheduler": line, "interval": "step"}]


class Tenth(DenseModule):
    """Passes another rate to super()."""

    def __init__(self, lr: float = 0.01):
        super().__init__(lr=lr / 10)


class Fixed(DenseModule):
    """No options, and a net with batch norm and a frozen layer."""

    class net_type(nn.Sequential):  # as the attribute is called
        """A user's net."""

        def __init__(self):
            super().__init__(
                *(nn.Flatten(), nn.Linear(784, 32), nn.BatchNorm1d(32)),
                *(nn.ReLU(), nn.Linear(32, 10)),
            )

    def __init__(self):
        super().__init__(lr=0.004)
        self.net[1].bias.requires_grad_(False)
        self.unused = nn.Parameter(torch.zeros(3))


class LateLayer(DenseModule):
    """Creates a layer in `configure_model`."""

    def configure_model(self):
        if not hasattr(self, "last"):
            self.last = nn.Linear(10, 10)

    def forward(self, images):
        return self.last(super().forward(images))


class Unfreeze(BaseFinetuning):
    """Trains the first layer from the second epoch on."""

    def freeze_before_training(self, pl_module):
        self.freeze(pl_module.net[1])

    def finetune_function(self, pl_module, epoch, optimizer):
        if epoch == 1:
            self.unfreeze_and_add_param_group(pl_module.net[1], optimizer, lr=1e-4)


class UnfreezesWithinEpochs(Unfreeze):
    """Trains the first layer from the fourth batch of the second epoch on."""

    def finetune_function(self, pl_module, epoch, optimizer):
        pass

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == (1, 3):
            self.unfreeze_and_add_param_group(pl_module.net[1], trainer.optimizers[0], lr=1e-4)


class TrainsUnfrozen(DenseModule):
    """Its optimizer has only the weights that are not frozen."""

    def configure_optimizers(self):
        return torch.optim.Adam([weights for weights in self.parameters() if weights.requires_grad])


class UnfreezesByHand(TrainsUnfrozen):
    """Trains the first layer from the second epoch on, as a group of its own."""

    def __init__(self):
        super().__init__()
        self.net[1].requires_grad_(False)

    def on_train_epoch_start(self):
        if self.current_epoch == 1:
            self.net[1].requires_grad_(True)
            group = {"params": list(self.net[1].parameters()), "lr": 1e-4}
            self.optimizers().add_param_group(group)


class OddModule(DenseModule):
    """Has a complex weight, a mask of infinities and a count that is not a weight; logs by itself.

    Its noise is of Python's and NumPy's generators. After each batch it averages its weights.
    """

    class net_type(nn.Module):  # as the attribute is called
        """A user's net."""

        def __init__(self):
            super().__init__()
            self.filter = nn.Parameter(torch.ones(28, 15, dtype=torch.cfloat))
            self.last = nn.Linear(784, 10)
            self.register_buffer("mask", torch.zeros(10).index_fill(0, torch.tensor(9), -torch.inf))
            self.seen = 0

        def forward(self, images):
            self.seen += len(images) if self.training else 0
            kept = torch.fft.irfft2(torch.fft.rfft2(images) * self.filter, s=(28, 28))
            return self.last(kept.flatten(1)) / (1 + self.seen / 1e4) + self.mask.exp()

        def get_extra_state(self):
            return {"seen": self.seen, "of": "images"}

        def set_extra_state(self, state):
            self.seen = state["seen"]

    def __init__(self):
        super().__init__()
        self.right = MulticlassAccuracy(10, average="micro")
        self.register_buffer("average", torch.zeros(10))

    def on_train_epoch_start(self):
        self.log("started", float(self.current_epoch))

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.average.lerp_(self.net.last.bias.detach(), 0.1)

    def training_step(self, batch, batch_idx):
        noise = random.random() + np.random.rand()  # noqa: NPY002 # as users draw
        logits = self(batch.images + 0.1 * noise)
        loss = F.cross_entropy(logits, batch.labels)
        self.right(logits, batch.labels)
        self.log("train_acc", self.right, on_step=False, on_epoch=True)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log("highest", loss, on_step=False, on_epoch=True, reduce_fx="max")
        self.log("noise", noise, on_step=True, on_epoch=True)
        return loss


class SetsUpItsSchedule(DenseModule):
    """Computes in `setup` what its optimizer and schedule need, as Lightning's own examples do."""

    def setup(self, stage):
        self.groups = [{"params": list(self.net.parameters())}]
        self.length = 2 * self.trainer.max_epochs

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.groups, lr=0.002)
        return [adam], [CosineAnnealingLR(adam, self.length)]


class Late(DenseModule):
    """Creates a layer in `setup`, and saves an entry in checkpoints."""

    def setup(self, stage):
        self.last = nn.Linear(10, 10)

    def forward(self, images):
        return self.last(super().forward(images))

    def on_save_checkpoint(self, checkpoint):
        checkpoint["note"] = {"of": "its own"}

    def on_load_checkpoint(self, checkpoint):
        assert checkpoint["note"] == {"of": "its own"}

    def test_step(self, batch, batch_idx):
        return self(batch.images)  # logits, and nothing logged


class StopsAtOnce(Callback):
    """Requests a stop before the first batch."""

    def on_train_epoch_start(self, trainer, pl_module):
        trainer.should_stop = True


class Watching(Callback):
    """Prints what other callbacks see."""

    def on_train_epoch_end(self, trainer, pl_module):
        print(f"seen {trainer.current_epoch} {trainer.callback_metrics['train_loss']:.7g}")


class NewOptimizer(Callback):
    """Replaces the optimizer before the second epoch."""

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            trainer.optimizers = [torch.optim.Adam(pl_module.parameters(), lr=0.005, eps=1e-7)]


class NumpyState(Callback):
    """Saves a NumPy number."""

    def state_dict(self):
        return {"best": np.float64(0.5)}


class OddState(Callback):
    """Saves an object that cannot be loaded."""

    best = object()

    def state_dict(self):
        return {"best": self.best}


class LateOddState(OddState):
    """Has such an object only once it has seen a batch."""

    best = None

    def on_train_batch_end(self, *_):
        self.best = object()


class StepPlateau(DenseModule):
    """PyTorch's plateau schedule, stepped with the training loss of each batch."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters(), lr=0.002)
        plateau = ReduceLROnPlateau(adam, factor=0.9, patience=1)
        schedule = {"scheduler": plateau, "interval": "step", "monitor": "loss"}
        return {"optimizer": adam, "lr_scheduler": schedule}


class EpochPlateau(DenseModule):
    """PyTorch's plateau schedule, stepped per epoch although the loss falls."""

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters(), lr=0.002)
        plateau = ReduceLROnPlateau(adam, mode="max", factor=0.5, patience=0)
        schedule = {"scheduler": plateau, "monitor": "val_loss"}
        return {"optimizer": adam, "lr_scheduler": schedule}


class TwoOptimizers(DenseModule):
    """Manual optimisation, with a separate optimiser for the last layer."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        optimizers = self.optimizers()
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in optimizers:
            optimizer.step()

    def configure_optimizers(self):
        *body, weight, bias = self.parameters()
        return torch.optim.SGD(body, lr=0.1), torch.optim.Adam([weight, bias], lr=0.01)


class RawSteps(DenseModule):
    """Steps an optimizer of which Lightning counts no step."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers(use_pl_optimizer=False)
        optimizer.zero_grad()
        self.manual_backward(super().training_step(batch, batch_idx))
        optimizer.step()


class SumsGradients(TwoOptimizers):
    """Steps its last layer at each batch, and the others at every fourth."""

    def on_train_epoch_start(self):
        if self.current_epoch == 0:
            self.zero_grad()

    def training_step(self, batch, batch_idx):
        body, last = self.optimizers()
        last.zero_grad()
        self.manual_backward(DenseModule.training_step(self, batch, batch_idx))
        last.step()
        if (batch_idx + 1) % 4 == 0:
            body.step()
            body.zero_grad()


class NoOptimizer(DenseModule):
    """Trains nothing, as a module that is only measured."""

    def configure_optimizers(self):
        """Returns nothing."""


class Finishing(DenseModule):
    """Logs an epoch's values at its end, and sets its weights at the end of training."""

    def on_train_epoch_end(self):
        self.log("train_acc", 0.5)
        self.log("lr", 0.25)

    def on_train_end(self):
        self.net[1].weight.data.fill_(0.5)


class Keeping(DenseModule):
    """Brings callbacks with a state: the best checkpoint by the loss, and a detector of spikes."""

    def configure_callbacks(self):
        return [SpikeDetection(rtol=9.0), ModelCheckpoint(filename="{epoch}", monitor="val_loss")]


class Lookahead(torch.optim.Optimizer):
    """Keeps a state of its own form, around that of another optimizer."""

    def __init__(self, inner):
        super().__init__(inner.param_groups, {})
        self.inner, self.param_groups, self.lowest = inner, inner.param_groups, float("inf")

    def step(self, closure=None):
        return self.inner.step(closure)

    def state_dict(self):
        inner = self.inner.state_dict()
        return {"state": inner["state"], "groups": inner["param_groups"], "lowest": self.lowest}

    def load_state_dict(self, state):
        self.inner.load_state_dict({"state": state["state"], "param_groups": state["groups"]})
        self.param_groups, self.lowest = self.inner.param_groups, state["lowest"]


class Restless(LRScheduler):
    """Changes its own argument, collects values, one of which becomes infinite, and then stays."""

    def __init__(self, optimizer, total_steps):
        self.total_steps, self.patience, self.rates, self.best = total_steps, 1, [], 0.0
        super().__init__(optimizer)

    def get_lr(self):
        self.rates.append(self.last_epoch)
        self.best, self.patience = float("inf") if self.rates[3:] else 0.0, self.patience + 1
        part = min(self.last_epoch, self.total_steps) / self.total_steps
        return [rate * (1 - 0.9 * part) for rate in self.base_lrs]


class Impatient(ReduceLROnPlateau):
    """Raises the patience that it was made with."""

    def step(self, metrics, epoch=None):
        super().step(metrics)
        self.patience += 1


class OwnOptimization(DenseModule):
    """An optimizer and a schedule of a user's own classes."""

    def configure_optimizers(self):
        optimizer = Lookahead(super().configure_optimizers())
        restless = {"scheduler": Restless(optimizer, 6), "interval": "step"}
        plateau = Impatient(optimizer, patience=1, threshold=0.5)
        return [optimizer], [restless, {"scheduler": plateau, "monitor": "val_loss"}]


class BringsNone(DenseModule):
    """Brings what is no callback."""

    def configure_callbacks(self):
        return [None]


class OwnEntries(DenseModule):
    """Saves entries and states whose names are those of the program's, but for their prefix."""

    names = (
        *("model_class", "model_options", "model_answers", "lacks", "train_scores", "train_logs"),
        *("generators", "frozen", "optimization", "plateaus_due", "spikes_seen", "searched"),
        *("gradients", "batches_validated", "schedules_made"),
    )

    def configure_callbacks(self):
        return [OwnState(name) for name in ("metrics", "best", "last")]

    def on_save_checkpoint(self, checkpoint):
        checkpoint |= {name: f"its own {name}" for name in self.names}

    def on_load_checkpoint(self, checkpoint):
        assert all(checkpoint[name] == f"its own {name}" for name in self.names)


class OwnState(Callback):
    """Counts the saves under a key of its own."""

    def __init__(self, key):
        self.key, self.saves = key, 0

    @property
    def state_key(self):
        return self.key

    def state_dict(self):
        self.saves += 1
        return {"saves": self.saves}

    def load_state_dict(self, state):
        self.saves = state["saves"]


class LogsDoubles(DenseModule):
    """Logs values in float64 and in float32."""

    def training_step(self, batch, batch_idx):
        value = torch.tensor(1.23456789012345, dtype=torch.float64)
        self.log("double", value, on_step=False, on_epoch=True, reduce_fx="max")
        self.log("single", value.float(), on_step=False, on_epoch=True, reduce_fx="max")
        return super().training_step(batch, batch_idx)


class AsksToStop(DenseModule):
    """Asks to stop at its fifth batch."""

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.trainer.should_stop |= batch_idx == 4


class AsksAfterValidation(DenseModule):
    """Asks to stop after its first validation."""

    def on_validation_end(self):
        self.trainer.should_stop = not self.trainer.sanity_checking


class SkipsAnEpoch(DenseModule):
    """Ends its second epoch before the first step."""

    def on_train_batch_start(self, batch, batch_idx):
        return -1 if self.current_epoch == 1 else None


class LeavesAnEpoch(OddModule):
    """Ends its second epoch after four of its nine batches."""

    def on_train_batch_start(self, batch, batch_idx):
        return -1 if (self.current_epoch, batch_idx) == (1, 4) else None


class NotKnownYet(DenseModule):
    """Has a buffer of which one number is not known yet."""

    def __init__(self):
        super().__init__()
        self.register_buffer("extremes", torch.tensor([torch.nan, 1.0]))


class FewLogits(DenseModule):
    """Fails at its first step."""

    def forward(self, images):
        return super().forward(images)[:, :3]


class LogsSeconds(DenseModule):
    """Logs under the names of two columns that the program measures."""

    def on_train_batch_start(self, batch, batch_idx):
        self.log("seconds", 1234.5)
        self.log("epoch", float(self.current_epoch + 1), on_step=True, on_epoch=True)


class StopsAResume(Callback):
    """Stops a resumed training before its first batch, as a spent budget of some service would."""

    def on_train_start(self, trainer, pl_module):
        trainer.should_stop = trainer.should_stop or trainer.global_step > 0


class Timed(DenseModule):
    """Brings a limit of time, which its first epoch uses up."""

    milliseconds = 1

    def configure_callbacks(self):
        limit = {"milliseconds": self.milliseconds}
        return Timer(limit, interval="epoch")


class Patient(DenseModule):
    """Brings a stop by a score that cannot become better."""

    waits = 1  # epochs

    def configure_callbacks(self):
        return EarlyStopping("val_acc", min_delta=2.0, patience=self.waits, mode="max")


class Halving(DenseModule):
    """Halves a layer's weights at the end of training."""

    def on_train_end(self):
        self.net[1].weight.data.mul_(0.5)


class Averaging(DenseModule):
    """Brings an average of weights, which is set at the end of training."""

    def configure_callbacks(self):
        return StochasticWeightAveraging(0.01, swa_epoch_start=1)


class ScoresNaN(DenseModule):
    """Logs no number as val_acc, but in its second epoch."""

    def validation_step(self, batch, batch_idx):
        known = self.trainer.state.fn == "fit" and self.current_epoch == 1
        self.log("val_acc", 0.5 if known else float("nan"))
        self.log("val_loss", 1.0)

    def test_step(self, batch, batch_idx):
        self.log_dict({"test_acc": float("nan"), "test_loss": float("nan")})


class SetsUpEpochs(DenseModule):
    """At an epoch's start, sets up what no checkpoint holds, and changes what they do hold."""

    class net_type(nn.Sequential):  # as the attribute is called
        """A user's net."""

        def __init__(self):
            super().__init__(nn.Flatten(), nn.Linear(784, 16), nn.Dropout(0.5), nn.Linear(16, 10))

    def __init__(self):
        super().__init__()
        self.right, self.epochs = MulticlassAccuracy(10, average="micro"), 0
        self.register_buffer("begun", torch.zeros(()))

    def on_train_epoch_start(self):
        self.losses, self.net[2].p = [], 0.5 / (1 + self.current_epoch)
        self.right.reset()
        self.epochs += 1
        self.begun += random.random() + torch.rand(()).item()
        self.net[1].bias.requires_grad_(self.current_epoch != 1)
        self.optimizers().param_groups[0]["lr"] *= 0.9
        self.lr_schedulers().step()
        self.log("begun", float(self.epochs), reduce_fx="sum")

    def training_step(self, batch, batch_idx):
        logits = self(batch.images)
        loss = F.cross_entropy(logits, batch.labels) * self.epochs
        self.right.update(logits, batch.labels)
        self.losses.append(loss.detach())
        return loss

    def on_train_epoch_end(self):
        self.log("right", self.right.compute())

    def on_save_checkpoint(self, checkpoint):
        checkpoint["epochs"] = self.epochs

    def on_load_checkpoint(self, checkpoint):
        self.epochs += checkpoint["epochs"]

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters(), lr=0.002)
        return [adam], [CosineAnnealingLR(adam, T_max=20)]


class CountsEpochs(Callback):
    """Weights are decayed from the second epoch on, by a count that is saved."""

    def __init__(self):
        self.epochs = 0

    def on_train_epoch_start(self, trainer, pl_module):
        self.epochs += 1
        self.decay = 1 - 0.01 * trainer.current_epoch

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        pl_module.net[-1].bias.data.mul_(self.decay * self.epochs)

    def state_dict(self):
        return {"epochs": self.epochs}

    def load_state_dict(self, state):
        self.epochs += state["epochs"]


class Accumulating(DenseModule):
    """Brings a growing number of batches per step."""

    def configure_callbacks(self):
        return [GradientAccumulationScheduler({1: 2})]


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


class Saves(Callback):
    """Saves a checkpoint at the end of each validation and of each epoch."""

    def on_validation_end(self, trainer, pl_module):
        if not trainer.sanity_checking:
            trainer.save_checkpoint(f"{trainer.global_step}.validated.ckpt")

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.save_checkpoint(f"{trainer.global_step}.ended.ckpt")
