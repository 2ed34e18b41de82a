"""Resuming: each test fails once upstream is fixed and the work-around can be removed."""

import contextlib

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint, OnExceptionCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel

from lit_mnist.resuming.resumed_epoch import ResumedEpoch
from lit_mnist.runs.folder import Run
from lit_mnist.training.checkpointing import LastCheckpoint
from lit_mnist.workarounds import applied
from tests.workarounds.stock import trainer


class Placed(list):
    """Batches that resume from a position saved in a checkpoint."""

    place = 0

    def state_dict(self):
        return {"place": 1}

    def load_state_dict(self, state):
        self.place = state["place"]

    def __iter__(self):
        return iter(self[self.place :])


class AsksForLength(BoringModel):
    """Records the batches that it is trained with."""

    def train_dataloader(self):
        return Placed(torch.full((1, 32), float(number)) for number in range(3))

    def configure_optimizers(self):
        assert self.trainer.estimated_stepping_batches in (1, 3)
        return super().configure_optimizers()

    def training_step(self, batch, batch_idx):
        self.seen = [*getattr(self, "seen", []), int(batch[0, 0])]
        return super().training_step(batch, batch_idx)


@pytest.mark.parametrize(("changed", "seen"), [(False, [0, 1]), (True, [1, 2])])
def test_upstream_still_loses_the_position_when_the_length_is_read(tmp_path, changed, seen):
    options = {"max_epochs": 1, "limit_train_batches": 3, "limit_val_batches": 0}
    keeper = ModelCheckpoint(tmp_path, "one", every_n_train_steps=1)
    trainer(tmp_path, **options, max_steps=1, callbacks=[keeper]).fit(AsksForLength())
    model = AsksForLength()
    with applied.place_in_epoch() if changed else contextlib.nullcontext():
        trainer(tmp_path, **options).fit(model, ckpt_path=tmp_path / "one.ckpt", weights_only=True)
    assert model.seen == seen


class Ends(Callback):
    """Records the end of each epoch, and the initial weights."""

    def on_train_start(self, trainer, module):
        self.began, self.ends = module.layer.weight.detach().clone(), []

    def on_train_epoch_end(self, trainer, module):
        self.ends.append((trainer.current_epoch, trainer.global_step))


@pytest.mark.parametrize(("changed", "ends"), [(False, [(0, 2), (1, 4)]), (True, [(1, 4), (2, 6)])])
def test_upstream_still_ends_an_epoch_twice_under_max_steps(tmp_path, changed, ends):
    keeper = ModelCheckpoint(tmp_path, "one", save_on_train_epoch_end=True)
    batches = {"limit_train_batches": 2}
    trainer(tmp_path, max_epochs=1, callbacks=[keeper], **batches).fit(BoringModel())
    seen = Ends()
    with applied.whole_epochs() if changed else contextlib.nullcontext():
        limits = {"max_epochs": 3, "max_steps": 99}
        trainer(tmp_path, callbacks=[seen], **limits, **batches).fit(
            BoringModel(), ckpt_path=tmp_path / "one.ckpt", weights_only=True
        )
    assert seen.ends == ends


@pytest.mark.parametrize("changed", [False, True])
def test_upstream_still_rounds_doubles_when_it_reads_them(tmp_path, changed):
    options = {"precision": "64-true", "max_epochs": 1}
    keeper, seen = ModelCheckpoint(tmp_path, "one", save_on_train_epoch_end=True), Ends()
    trainer(tmp_path, callbacks=[keeper], **options).fit(BoringModel())
    with applied.whole_doubles() if changed else contextlib.nullcontext():
        trainer(tmp_path, callbacks=[seen], **options | {"max_epochs": 2}).fit(
            BoringModel(), ckpt_path=tmp_path / "one.ckpt", weights_only=True
        )
    saved = torch.load(tmp_path / "one.ckpt", weights_only=True)["state_dict"]["layer.weight"]
    assert saved.dtype == torch.float64
    assert torch.equal(seen.began, saved) is changed


@pytest.mark.parametrize("changed", [False, True])
def test_upstream_still_resumes_from_an_unnamed_checkpoint(tmp_path, changed):
    keeper = ModelCheckpoint(tmp_path, "on_exception", save_on_train_epoch_end=True)
    trainer(tmp_path, max_epochs=1, callbacks=[keeper]).fit(BoringModel())
    seen = Ends()
    callbacks = [seen, OnExceptionCheckpoint(tmp_path)]
    with applied.only_what_is_named() if changed else contextlib.nullcontext():
        trainer(tmp_path, max_epochs=2, callbacks=callbacks).fit(BoringModel(), weights_only=True)
    assert seen.ends == ([(0, 1), (1, 2)] if changed else [(1, 2)])


@pytest.mark.parametrize(("changed", "saved"), [(False, [0, 2]), (True, [1, 2])])
def test_upstream_still_saves_before_the_module_s_hook(tmp_path, changed, saved):
    class Counting(BoringModel):
        batches, seen = 0, ()

        def on_train_batch_end(self, *_):
            self.batches += 1

        def on_save_checkpoint(self, checkpoint):
            self.seen += (self.batches,)

    last, model = LastCheckpoint(Run(tmp_path), every_n_train_steps=1), Counting()
    with applied.applied() if changed else contextlib.nullcontext():
        trainer(tmp_path, callbacks=[last], max_epochs=1, limit_train_batches=2).fit(model)
    assert list(model.seen) == saved


@pytest.mark.parametrize(("changed", "begun"), [(False, [1]), (True, [0, 1])])
def test_upstream_still_leaves_out_the_start_of_a_resumed_epoch(tmp_path, changed, begun):
    limits = {"limit_train_batches": 4, "limit_val_batches": 0}
    keeper = ModelCheckpoint(tmp_path, "one", every_n_train_steps=2)
    trainer(tmp_path, max_steps=2, callbacks=[keeper], **limits).fit(BoringModel())
    epochs = []
    seen = LambdaCallback(on_train_epoch_start=lambda one, _: epochs.append(one.current_epoch))
    with applied.start_of_epoch() if changed else contextlib.nullcontext():
        trainer(tmp_path, max_epochs=2, callbacks=[seen, ResumedEpoch()], **limits).fit(
            BoringModel(), ckpt_path=tmp_path / "one.ckpt", weights_only=True
        )
    assert epochs == begun


@pytest.mark.parametrize(("changed", "ended"), [(False, 0), (True, 1)])
def test_upstream_still_leaves_out_the_end_of_a_run_that_was_killed_there(tmp_path, changed, ended):
    keeper = ModelCheckpoint(tmp_path, "one", save_on_train_epoch_end=True)
    trainer(tmp_path, max_epochs=1, callbacks=[keeper]).fit(BoringModel())
    ends = []
    seen = LambdaCallback(on_train_end=lambda *_: ends.append(1))
    with applied.end_by_the_hooks() if changed else contextlib.nullcontext():
        trainer(tmp_path, max_epochs=1, callbacks=[seen]).fit(
            BoringModel(), ckpt_path=tmp_path / "one.ckpt", weights_only=True
        )
    assert len(ends) == ended
