"""Letters that are drawn: in MNIST's form, each another way, the same each time."""

import numpy as np

from lit_mnist.pictures.form import has_mnists_form
from lit_mnist.pictures.letters import FONTS, draw_all


def test_each_is_in_mnists_form_and_drawn_another_way_but_the_same_each_time():
    drawn = draw_all("AKx", each=2)

    assert drawn.images.shape == (30, 28, 28)
    assert drawn.labels.tolist() == [place for place in range(3) for _ in range(2 * len(FONTS))]
    assert all(map(has_mnists_form, drawn.images))
    assert len({image.tobytes() for image in drawn.images}) == 30
    np.testing.assert_array_equal(draw_all("AKx", each=2).images, drawn.images)
    assert not np.array_equal(draw_all("AKx", each=2, seed=1).images, drawn.images)
