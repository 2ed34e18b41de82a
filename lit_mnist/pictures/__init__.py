"""A user's own pictures in the form of MNIST.

files  image files, read and brought to 28x28, a light digit on dark ground
"""
