"""The page that `demo` serves: the user draws a digit and sees the network's prediction.

model   classifies a picture for the page: image, probabilities, votes and verdict
guard   refuses requests from other hosts and origins, too large ones, and unknown paths
server  HTTP on 127.0.0.1, with the standard library
assets  the page's own files, beside this one

page.html and style.css are the page; page.js sends requests, drawing.js is the canvas, paint.js
renders its strokes, answer.js shows the prediction.
"""
