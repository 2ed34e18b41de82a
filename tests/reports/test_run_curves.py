from types import SimpleNamespace

import pytest
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from lit_mnist.models.nets import Dense
from lit_mnist.reports import run_curves
from lit_mnist.runs.folder import Run

ABOVE = [
    {"epoch": 0, "train_acc": 0.9, "val_acc": 0.95},
    {"epoch": 1, "train_acc": 0.98, "val_acc": 0.97},
]


@pytest.mark.parametrize(
    ("augmented", "dropout", "message"),
    [
        (True, True, ": augmentation and dropout act only in training, and training is"),
        (True, False, ": augmentation acts only in training, and training is"),
        (False, True, ": dropout acts only in training, and training is"),
        (False, False, "training: training is averaged over the epoch"),
    ],
)
def test_the_caption_names_the_causes_that_apply(augmented, dropout, message):
    assert message in run_curves.caption(ABOVE, augmented=augmented, dropout=dropout)


def test_no_caption_where_validation_never_lies_above():
    assert not run_curves.caption(ABOVE[1:], augmented=True, dropout=True)
    nan, rows = float("nan"), [{"epoch": 0, "train_acc": 0.9}]
    for row in (rows[0], rows[0] | {"val_acc": nan}, {"epoch": 0, "val_acc": 0.9}):
        assert not run_curves.caption([row], augmented=True, dropout=True)


@pytest.mark.parametrize(
    ("best", "circled"),
    [
        ({}, None),  # no weights of that score were saved
        ({"best_epoch": 1, "best_val_acc": 0.97}, None),
        ({"best_epoch": 0, "best_val_acc": 0.98}, None),  # within that epoch
        ({"best_epoch": 0, "best_val_acc": 0.95}, 0),  # the row of epoch 1 is of other images
    ],
)
def test_a_row_of_other_images_is_not_circled(best, circled):
    assert run_curves.best_epoch(ABOVE, best) == circled


def test_only_active_dropout_is_detected():
    assert run_curves.drops(Dense())
    assert run_curves.drops(nn.Sequential(nn.Sequential(nn.Dropout2d(0.1))))
    assert not run_curves.drops(nn.Sequential(nn.Dropout(0.0), nn.Linear(1, 1)))


def test_a_picture_is_added_to_every_tensorboard_logger(tmp_path):
    loggers = [CSVLogger(tmp_path), *(TensorBoardLogger(tmp_path, name) for name in "ab")]
    trainer = SimpleNamespace(loggers=loggers)
    run_curves.show(trainer, Run(tmp_path), "curves", Figure(figsize=(1, 1)), step=3)
    for logger in loggers[1:]:
        logger.experiment.flush()
        events = EventAccumulator(logger.log_dir).Reload()
        assert [image.step for image in events.Images("curves")] == [3]
