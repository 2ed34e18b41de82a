"""What surrounds a training run: callbacks, launchers, hardware, work-arounds for Lightning.

across_resumes  the callbacks that keep state across a resume
best_checkpoint  writes best.ckpt
board          writes a run's epochs, config, graph and summary for TensorBoard
callbacks      writes metrics.csv and prints a line per epoch; the progress bar
checkpoint_names  refuses callbacks that would write or delete our checkpoints
checkpointing  writes last.ckpt, and lists what writes checkpoints
final_weights  saves weights that are changed after the last epoch, such as an average
digits         how many digits of a logged value are kept
ending         which limit ended training; stops only where a run can be resumed
epoch_start    calls the hooks of an epoch's start again, when it is resumed from within
frozen         keeps track of frozen layers: across a resume, and for DDP
generators     keeps the states of the random generators across a resume
hardware       what decides bf16 and channels-last on a machine; its name and versions
kept_state     keeps what a checkpoint holds, while hooks are called
known_ends     how a run will end, before it is trained
launcher       how many processes torchrun or SLURM has started
light_imports  imports Lightning without torchmetrics' image and audio packages
logged_sums    the sums behind what is logged for an epoch: saved, added, or logged again
logged_values  what was logged in an epoch, and its columns in metrics.csv
loggers        the run's TensorBoard logger, and pictures for the loggers that a user adds
net_graph      a net's graph for TensorBoard
noise          hides known messages of the libraries, one by one
partial_logs   keeps what a module has logged of an epoch, and its metrics, across a resume
pending_gradients  keeps the gradients of manual optimization across a resume
plain_states   checks before the first step what checkpoints will hold
process        settings of the process: for speed on a CPU, and to end with its parent
rank_errors    prints an error that all ranks meet only once
resumed_epoch  restores what Lightning skips when a run is resumed within an epoch
run_folder     clears a run's folder and writes its config and status
same_weights   checks that all ranks hold the same weights
schedule_lengths  checks that schedules are those of before, and as long as training
schedule_values  how a schedule differs from the one whose state is loaded
searched       keeps learning rates and batch sizes that a finder has found
step_logs      tells where values that are logged by step reach no logger
tiles          small pictures as arrays: rows of images, a confusion matrix
trial_pruning  ends trials of a sweep early if others did better
validated      results of a validation: confusion matrix, recalls, worst images
validated_weights  tells whether a checkpoint's weights are those that were validated
watch          collects validation results and the first batch for the loggers
workarounds    work-arounds for Lightning, each with its upstream reference and a switch:
  kept_rows      the earlier rows of a CSVLogger
  writer_errors  what TensorBoard's thread cannot write
  light_steps    training steps without needless overhead
  module_callbacks  the callbacks that a module brings
  resuming       resuming a run
  signals        SIGTERM, Ctrl-C, and ranks whose first has ended
  decisions      what ranks must decide together
  checkpoint_io  checkpoints that are written whole or not at all, and read once they are
  patching       how they replace what is Lightning's
"""
