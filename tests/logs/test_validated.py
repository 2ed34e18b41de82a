import numpy as np
import pytest
import torch

from lit_mnist.data.batches import Batch
from lit_mnist.logs import validated

NAMES = [str(digit) for digit in range(10)]
GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randint(256, (70, 1, 28, 28), generator=GENERATOR)
LABELS = torch.randint(9, (70,), generator=GENERATOR)  # none of class 9
LOGITS = 3 * torch.randn(70, 10, generator=GENERATOR)


def seen(answers, sizes=(50, 5, 15)):
    batches = zip(*(x.split(sizes) for x in (IMAGES / 255, LABELS, answers)), strict=True)
    parts = [
        validated.part(Batch(images, labels, labels, 1.0), probabilities)
        for images, labels, probabilities in batches
    ]
    return validated.combine(parts, NAMES)


def test_counts_recalls_and_worst_images_cover_all_batches():
    probabilities = LOGITS.softmax(1)
    found, labels = seen(probabilities), LABELS.numpy()
    predictions = probabilities.argmax(1).numpy()
    for true, predicted in np.ndindex(10, 10):
        count = sum((labels == true) & (predictions == predicted))
        assert found.confusion[true, predicted] == count
    right = labels == predictions
    assert found.recalls() == {str(c): pytest.approx(right[labels == c].mean()) for c in range(9)}
    own = probabilities.numpy()[range(70), labels]
    worst = np.argsort(own)[:15]
    assert (found.worst.images.numpy() == IMAGES[worst, 0].numpy()).all()
    assert found.worst.labels.tolist() == labels[worst].tolist()
    assert found.worst.predictions.tolist() == predictions[worst].tolist()
    expected = np.stack([own[worst], probabilities.numpy().max(1)[worst]], axis=1)
    assert found.worst.probabilities.numpy() == pytest.approx(expected)
    assert {*found.pictures()} == {"confusion", "worst"}


def test_logits_are_counted_but_give_no_worst_images():
    found = seen(LOGITS)
    assert (found.confusion == seen(LOGITS.softmax(1)).confusion).all()
    assert {*found.pictures()} == {"confusion"}
