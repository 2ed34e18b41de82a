"""A search over options with Optuna: what is searched, the study, and what it leaves.

space    the file that says which options are searched, and within what
study    Optuna's study: its storage, sampler and pruner
workers  which processes take part, and the trials of those that were killed
record   sweep.json: every trial as it stands, for reports and people
extra    the line that says how Optuna is installed
"""
