"""Trained networks for other programs.

reader  load: a run or a committee as a Python object that reads images
"""
