"""What a training run logs: for `metrics.csv`, for TensorBoard, and for loggers that a user adds.

board          writes a run's epochs, config, graph and summary for TensorBoard
digits         how many digits of a logged value are kept
kept_rows      the earlier rows of a CSVLogger, when a run is resumed
logged_sums    what is logged in an epoch: saved, and held until it is logged again after a resume
logged_values  what was logged in an epoch, and its columns in metrics.csv
loggers        the run's TensorBoard logger, and pictures for the loggers that a user adds
net_graph      a net's graph for TensorBoard
step_logs      tells where values that are logged by step reach no logger
tiles          small pictures as arrays: rows of images, a confusion matrix
unlogged       the run's logger in commands that log nothing
validated      results of a validation: confusion matrix, recalls, worst images
watch          collects validation results and the first batch for the loggers
writer_errors  what TensorBoard's thread cannot write
"""
