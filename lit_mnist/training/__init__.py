"""What surrounds a training run: callbacks, launchers, hardware, work-arounds for Lightning.

board          the epochs of a run for TensorBoard, and its config, graph and summary
callbacks      a row and a line an epoch, the progress bar
checkpointing  when best.ckpt and last.ckpt are written
final_weights  what callbacks such as an average of weights end with, kept in last.ckpt
ending         which limit ends training, and that it ends where it can be gone on with
frozen         which layers are frozen, in a run that goes on
hardware       the machine: its name, and the precision (bf16) and memory layout that suit it
launcher       what torchrun or SLURM has started
light_imports  Lightning without what torchmetrics imports for pictures and sound
loggers        the run's own TensorBoard logger, and pictures for those that a user names
net_graph      a net's graph for TensorBoard
noise          known messages of the libraries that are hidden, one by one
process        settings of the process: its speed, and that it ends with its parent
resumed_epoch  what Lightning leaves out of an epoch that a run goes on with from within
run_folder     the folder of a run: cleared, its config and status written
schedule_lengths  schedules that know how long training is
searched       what callbacks search for when a run begins: a learning rate, a batch size
tiles          small pictures as arrays: rows of images, a confusion matrix
trial_pruning  trials of a sweep that are ended early, as others did better
validated      what a validation said: confusion matrix, recalls, worst images
watch          validation and the first batch, watched for the loggers
workarounds    every work-around for Lightning, each with its upstream reference
"""
