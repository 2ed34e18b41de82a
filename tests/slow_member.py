"""A run of `fit` that rests after each epoch, so that it can be stopped there."""

import sys
import time

from lit_mnist.main import main
from lit_mnist.training.callbacks import MetricsCSV

say = MetricsCSV._print


def say_and_rest(history, trainer):
    say(history, trainer)
    time.sleep(1)


MetricsCSV._print = say_and_rest
sys.exit(main(sys.argv[1:]))
