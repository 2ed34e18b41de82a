"""The page that `demo` serves: a drawing goes in, what the network sees and says comes out.

model   a run as the page asks it: a picture in, image, probabilities, votes and verdict out
guard   which requests are refused: of other hosts and origins, too large, of no known path
server  HTTP on 127.0.0.1, with the standard library
assets  the page's own files, which lie beside this one

page.html and style.css are the page; page.js asks the server, drawing.js is what is drawn on,
paint.js how it looks, answer.js shows what comes back.
"""
