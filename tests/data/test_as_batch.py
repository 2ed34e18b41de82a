"""Batches of other loaders are converted to the program's own."""

import pytest
import torch

from lit_mnist.data.as_batch import UNKNOWN, as_batch
from lit_mnist.data.batches import Batch
from lit_mnist.errors import UserError

BYTES = torch.arange(2 * 28 * 28).remainder(256).reshape(2, 28, 28).byte()
LABELS = torch.tensor([3, 7])


@pytest.mark.parametrize("images", [BYTES, BYTES.unsqueeze(1), BYTES / 255])
@pytest.mark.parametrize("kind", [list, tuple])
def test_pairs_of_images_and_labels_are_converted(images, kind):
    batch = as_batch(kind((images, LABELS)))
    assert torch.equal(batch.images, BYTES.unsqueeze(1) / 255)
    assert batch.labels is LABELS
    assert batch.loss_divisor == 2


def test_images_alone_have_unknown_labels():
    assert as_batch(BYTES).labels.tolist() == [UNKNOWN, UNKNOWN]


def test_a_prepared_batch_is_unchanged():
    batch = Batch(BYTES.unsqueeze(1) / 255, LABELS, LABELS, 2, seed=1)
    assert as_batch(batch) is batch


def test_a_batch_for_evaluation_is_scaled():
    batch = as_batch(Batch(BYTES, LABELS, LABELS, 2))
    assert torch.equal(batch.images, BYTES.unsqueeze(1) / 255)


def test_black_and_white_images_stay_what_they_are():
    lit = BYTES > 100
    assert torch.equal(as_batch((lit, LABELS)).images, lit.unsqueeze(1).float())


def test_an_unprepared_training_batch_is_refused():
    with pytest.raises(UserError, match=r"fit\(model, datamodule=data\)"):
        as_batch(Batch(BYTES, LABELS, LABELS, 2, seed=1))


@pytest.mark.parametrize("given", [{"x": BYTES}, [BYTES, "text"], "text", []])
def test_any_other_batch_is_refused(given):
    with pytest.raises(UserError, match="a loader returned a"):
        as_batch(given)


def test_labels_of_any_integers_are_class_numbers():
    labels = as_batch((BYTES, LABELS.byte())).labels
    assert labels.dtype == torch.int64
    assert torch.equal(labels, LABELS)


@pytest.mark.parametrize("labels", [torch.eye(2), LABELS.float(), LABELS[:, None], LABELS[:1]])
def test_labels_that_are_no_class_numbers_are_refused(labels):
    with pytest.raises(UserError, match="an integer per image"):
        as_batch((BYTES, labels))
