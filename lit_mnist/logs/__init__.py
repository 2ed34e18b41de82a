"""What a training run logs: for `metrics.csv`, for TensorBoard, and for loggers that a user adds.

board          writes a run's epochs, config, graph and summary for TensorBoard
digits         how many digits of a logged value are kept
hparams        the options of a run as TensorBoard's HParams tab shows them
kept_events    what TensorBoard was told before a checkpoint, when a run is resumed from it
kept_rows      the earlier rows of a CSVLogger, when a run is resumed
logged_sums    what is logged in an epoch: saved, and held until it is logged again after a resume
logged_values  what was logged in an epoch, and its columns in metrics.csv
logger_board   pictures and scores of an epoch for the loggers that a user adds
loggers        at which step loggers are told what, and what they can show
net_graph      a net's graph for TensorBoard
new_best       the scores of a new best epoch
run_logger     the run's own TensorBoard logger
step_logs      tells where values that are logged by step reach no logger
tiles          small pictures as arrays: rows of images, a confusion matrix
unlogged       the run's logger in commands that log nothing
validated      results of a validation: confusion matrix, recalls, worst images
watch          collects validation results and the first batch for the loggers
"""
