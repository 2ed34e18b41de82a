"""The shape of the problem, which all datasets of MNIST's family share."""

SIDE_PX = 28  # of an image, which is square
CLASSES = 10
