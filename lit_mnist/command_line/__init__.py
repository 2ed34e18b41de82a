"""The command line: the options of each command, their help, and what is wrong with what is given.

overview           the list of all commands for --help
parsers            the parsers of our own commands: options, defaults, help, errors
audit_parser       the parser of audit
committee_parser   the parser of committee
demo_parser        the parser of demo
export_parser      the parser of export
sweep_parser       the parser of sweep
one_run_parser     common options of export and demo: the run, its classes and labels
command_parser     the base class of these parsers
run_parser         the parser of fit, validate, test and predict
arguments          prepares the command line for the parser; finds configs by name
run_spec           the options of a run, unparsed, for passing runs between commands
parsed_options     parses the options of fit without setting up a run
constructors       the constructors of classes that options name
named_class        imports a class that the user names; explains errors of its module
groups             checks what is given for the group --data, and for its seed
durations          refuses durations that Lightning cannot read
option_checks      refuses bad values that the parser or Lightning would accept silently
no_effect          refuses options that have no effect beside others, or without them
callback_checks    refuses callbacks that cannot work together
precision_checks   refuses a precision that a plugin sets, too, or that weights do not survive
rank_checks        refuses ranks that cannot work together
error_messages     turns errors of the parser into one line
dependency_errors  turns errors of libraries into one line
device_errors      explains what a device cannot do
file_errors        tells what to do about a file that cannot be read, written or started
training_errors    explains what PyTorch refuses in a step of training
"""
