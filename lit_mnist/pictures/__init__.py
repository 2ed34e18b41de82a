"""Prepares a user's own pictures for `predict`: finds digits and brings them to MNIST's form.

read     reads a picture: each digit in MNIST's form, and its box in the picture
files    lists image files and reads them as grey pixels
grey     converts an image of any mode to one channel of eight bits
ground   separates ink from the ground, in any light
lines    removes ruled lines from the ink
parts    finds connected parts of the ink, without frames, edges and specks
find     joins parts to digits, and sorts these in reading order
form     MNIST's form: a box of 20x20, even strokes, centred by the centre of mass
letters  draws letters in MNIST's form, as examples of images that are no digit
"""
