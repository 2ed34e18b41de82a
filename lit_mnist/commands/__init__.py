"""The commands. fit, validate, test and predict are LightningCLI's; the others are our own.

run_cli            fit, validate, test, predict, by LightningCLI
starting_point     where fit begins: from scratch, or from a checkpoint
same_images        whether a run was trained on the images that are on disk now
evaluation         the weights that validate, test and predict use, and the part of the data
fit_callbacks      the callbacks that fit adds to those of the user
fit_messages       messages of fit when nothing is left to train, and after training
committee          trains missing members with fit, then tests them and their average
reproduce          runs the notebook's six systems
sweep              searches options with Optuna
sweep_trials       runs the trials of a sweep
compare            compares runs by significance tests
audit              shows labels that a committee of folds contradicts
report             writes one HTML file about runs
export             writes a run or a committee to a model file
demo               serves a page to draw digits on
doctor             checks this machine
runs               lists the runs under a log folder
parsers            the parsers of our own commands: options, defaults, help, errors
committee_parser   the parser of committee
export_parser      the parser of export
audit_parser       the parser of audit
demo_parser        the parser of demo
doctor_parser      the parser of doctor
sweep_parser       the parser of sweep
one_run_parser     common options of export and demo: the run, its classes and labels
command_parser     the base class of these parsers
named_class        imports a class that the user names; explains errors of its module
overview           the list of all commands for --help
run_parser         the parser of fit, validate, test and predict
options            sets up run folder, trainer and callbacks from the parsed options
parsed_options     parses the options of fit without setting up a run
run_spec           the options of a run, unparsed, for passing runs between commands
resolved_run       the resolved options of a run that is trained and then tested
plans              the state of a run: trained, tested, epochs left
committee_plans    the state of a committee
jobs               runs fit in processes of their own, several at a time
jobs_at_once       how many of them run at a time by default
arguments          prepares the command line for the parser; finds configs by name
constructors       the constructors of classes that options name
groups             checks what is given for a whole group of options, such as --data
durations          refuses durations that Lightning cannot read
option_checks      refuses bad values that the parser or Lightning would accept silently
callback_checks    refuses callbacks that cannot work together
rank_checks        refuses ranks that cannot work together
error_messages     turns errors of the parser into one line
explaining         raises one line in place of an error of a library
dependency_errors  turns errors of libraries into one line
device_errors      explains what a device cannot do
"""
