"""Predictions gathered from batches, in index order and without loss of precision."""

from types import SimpleNamespace

import pytest
import torch

from lit_mnist.data.batches import Batch
from lit_mnist.models import DenseModule
from lit_mnist.reports.predictions import Collector, predictions_csv, probabilities

ALONE = SimpleNamespace(world_size=1)


def test_predictions_are_in_index_order():
    probabilities = torch.rand(5, 10)
    members = torch.rand(5, 3, 10)
    labels = torch.tensor([4, 0, 9, 1, 7])
    collector = Collector()
    for places in ([3, 0], [4, 2, 1]):
        batch = Batch(torch.zeros(len(places), 1, 28, 28), labels[places], torch.tensor(places), 1)
        collector.collect(batch, probabilities[places], members[places])
    found = collector.gathered(ALONE)
    assert found.indices.tolist() == [0, 1, 2, 3, 4]
    assert torch.equal(found.labels, labels)
    assert torch.equal(found.probabilities, probabilities.double())
    assert torch.equal(found.member_log_probs, members.double())
    assert torch.equal(found.classes, probabilities.argmax(1))


def test_a_rank_without_images_adds_nothing():
    collector = Collector()
    for count, widths in ((0, 0), (1, 6), (0, 0)):
        labels = torch.zeros(count, dtype=torch.int64)
        batch = Batch(torch.zeros(count, 1, 28, 28), labels, labels, 1)
        collector.collect(batch, torch.rand(count, 10), features=torch.rand(count, widths))
    assert collector.gathered(ALONE).features.shape == (1, 6)


def test_features_that_not_each_batch_has_are_left_out():
    collector = Collector()
    for place, width in enumerate((0, 6)):
        index = torch.tensor([place])
        batch = Batch(torch.zeros(1, 1, 28, 28), index, index, 1)
        collector.collect(batch, torch.rand(1, 10), features=torch.rand(1, width))
    assert collector.gathered(ALONE).features.shape == (2, 0)


def test_nine_digits_preserve_float32():
    probabilities = torch.rand(50, 10)
    collector = Collector()
    batch = Batch(torch.zeros(50, 1, 28, 28), torch.arange(50) % 10, torch.arange(50), 50)
    collector.collect(batch, probabilities)
    found = collector.gathered(ALONE)
    assert found.member_log_probs.shape == (50, 0, 10)
    head, *rows = predictions_csv(found).splitlines()
    assert head == "index,label,prediction,p0,p1,p2,p3,p4,p5,p6,p7,p8,p9"
    cells = torch.tensor([[float(cell) for cell in row.split(",")] for row in rows]).double()
    assert cells[:, 0].tolist() == list(range(50))
    assert cells[:, 1].tolist() == [place % 10 for place in range(50)]
    assert cells[:, 2].long().tolist() == probabilities.argmax(1).tolist()
    assert torch.equal(cells[:, 3:].float(), probabilities)


@pytest.mark.parametrize("kind", ["nothing", "logits", "classes", "probabilities"])
def test_probabilities_are_written_for_any_step_output(kind):
    module = DenseModule().eval()
    batch = Batch(torch.rand(4, 1, 28, 28), torch.arange(4), torch.arange(4), 4)
    with torch.no_grad():
        logits = module(batch.images)
        outputs = {
            "nothing": None,
            "logits": logits,
            "classes": logits.argmax(1),
            "probabilities": torch.full((4, 10), 0.1),
        }
        found = probabilities(outputs[kind], module, batch)
    expected = outputs[kind] if kind == "probabilities" else logits.softmax(1)
    assert torch.allclose(found, expected)
