"""A search over options with Optuna: the space, the study and its record.

space    the file of the options to search and their values
study    Optuna's study: its storage, sampler and pruner
numbers  numbers of trials, the same however often a sweep is stopped
workers  the processes that take part; queues the trials of killed ones again
record   sweep.json: the state of every trial, for reports and people
extra    checks that Optuna is installed
"""
