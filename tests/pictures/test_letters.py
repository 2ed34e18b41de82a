"""Drawn letters: in MNIST's form, varied and reproducible."""

import numpy as np

from lit_mnist.pictures.form import has_mnists_form
from lit_mnist.pictures.letters import FONTS, draw_all


def test_drawn_letters_are_in_mnist_s_form_varied_and_reproducible():
    drawn = draw_all("AKx", each=2)

    assert drawn.images.shape == (30, 28, 28)
    assert drawn.labels.tolist() == [place for place in range(3) for _ in range(2 * len(FONTS))]
    assert all(map(has_mnists_form, drawn.images))
    assert len({image.tobytes() for image in drawn.images}) == 30
    np.testing.assert_array_equal(draw_all("AKx", each=2).images, drawn.images)
    assert not np.array_equal(draw_all("AKx", each=2, seed=1).images, drawn.images)
