"""Work-arounds for Lightning, each with its upstream reference and a switch.

applied           applies them for the duration of a command
clipping          clips gradients where there are none
decisions         what ranks must decide together
event_files       TensorBoard's files in the order in which they were begun
light_steps       training steps without needless overhead
means             means over all ranks of what a module logs
module_callbacks  the callbacks that a module brings
noise             hides known messages of the libraries, one by one
optimizer_states  optimizers' states: in the precision in which they were saved, of these weights
resume            resuming a run
signals           SIGTERM, Ctrl-C, and ranks whose first has ended
weight_averages   averages of weights: resumed after the last epoch, saved with extra state
writer_errors     what TensorBoard's thread cannot write

What concerns one room only is in that room: checkpoint_io and saved_scores in training, kept_rows
in logs, light_imports in machine. `machine/patching` replaces what is Lightning's.
"""
