"""The commands. fit, validate, test and predict are LightningCLI's; the others are our own.

run_cli         fit, validate, test, predict: LightningCLI over everything
starting_point  where fit begins: at nothing, or at a checkpoint
evaluation      what validate, test and predict evaluate: which weights, how much of a set
fit_messages    what fit says when there is nothing to train, and when it has trained
committee       trains members and tests their average
reproduce       runs the notebook's six systems
sweep           searches options with Optuna
sweep_trials    its trials, one after another
compare         tells a difference between two runs from luck
audit           shows labels that a committee of folds contradicts
report          writes one HTML file about runs
export          writes a run or a committee to a model file
demo            serves a page to draw digits on
doctor          tells whether this machine is fit for a run
parsed_options  the options of fit as they stand, with nothing made of them
runs            lists what lies under a log folder
parsers         the options of our own commands: defaults, help, errors
export_parser   those of export
audit_parser    those of audit
demo_parser     those of demo
doctor_parser   those of doctor
sweep_parser    those of sweep
one_run_parser  what those of export and demo share: the run, its classes and labels
named_class     a class that the user names
command_parser  what those parsers share
overview        the list of all commands, which --help shows
run_parser      the options of fit, validate, test and predict
options         what their options set up: run folder, trainer, callbacks
run_spec        a run as it was asked for, which commands hand to each other
plans           what is known of a run: trained? tested? epochs left?
committee_plans  the same of a committee
jobs            runs of fit as processes of their own, several at a time
jobs_at_once    how many at a time, if the user leaves it to the program
arguments       the command line before it is parsed; configs found by name
option_checks   values that the parser or Lightning takes without a word
error_messages  errors of the parser and of libraries, on one line
"""
