"""`python cli.py …`, the same program as the installed `lit-mnist`."""

import sys

from lit_mnist.main import program

if __name__ == "__main__":
    sys.exit(program())
