"""A user's own pictures: their digits found and brought to the form of MNIST.

read     a picture: each digit in MNIST's form, and where in the picture it is
files    image files, listed and read as grey pixels
grey     an image of any mode as one channel of eight bits
ground   ink told from the ground it is written on, whatever the light
lines    ruled lines, taken out of the ink
parts    the connected parts of the ink, without frames, edges and specks
find     which parts make a digit, and their reading order
form     MNIST's form: a box of 20x20, even strokes, the centre of mass in the middle
letters  what is written and no digit: letters in MNIST's form, drawn
"""
