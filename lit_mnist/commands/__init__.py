"""The commands. fit, validate, test and predict are LightningCLI's; the others are our own.

run_cli          fit, validate, test, predict, by LightningCLI
starting_point   where fit begins: from scratch, or from a checkpoint
same_images      whether a run was trained on the images that are on disk now
evaluation       the weights that validate, test and predict use, and the part of the data
fit_callbacks    the callbacks that fit adds to those of the user
fit_messages     messages of fit before training, when nothing is left to train, and after it
committee        trains missing members with fit, then tests them and their average
reproduce        runs the notebook's six systems
sweep            searches options with Optuna
sweep_trials     runs the trials of a sweep
compare          compares runs by significance tests
audit            shows labels that a committee of folds contradicts
report           writes one HTML file about runs
export           writes a run or a committee to a model file
demo             serves a page to draw digits on
doctor           checks this machine
runs             lists the runs under a log folder
options          sets up run folder, trainer and callbacks from the parsed options
resolved_run     the resolved options of a run that is trained and then tested
plans            the state of a run: trained, tested, epochs left
committee_plans  the state of a committee
jobs             runs fit in processes of their own, several at a time
jobs_at_once     how many of them run at a time by default
"""
