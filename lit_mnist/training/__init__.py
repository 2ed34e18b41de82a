"""A training run: its callbacks, when checkpoints are written, how it ends.

best_checkpoint    writes best.ckpt
callbacks          writes metrics.csv and prints a line per epoch; the progress bar
changed_images     tells whether callbacks change the images of an evaluation
checkpoint_io      checkpoints that are written whole or not at all, and read once they are
checkpoint_names   the user's checkpoint callbacks; refuses those that would replace our files
checkpointing      writes last.ckpt, ends only at whole steps, lists what writes checkpoints
ending             how training ends: by which limit or callback, and where in an epoch
final_weights      saves weights that are changed after the last epoch, such as an average
known_ends         how a run will end, before it is trained
minimum            tells that a maximum will end training before a minimum is reached
readable           sees to it that checkpoints can be read again, whatever plugin writes them
run_folder         clears a run's folder and writes its config and status
same_weights       checks that all ranks hold the same weights
save_folders       refuses folders in which a user's callbacks cannot save
saved_scores       has checkpoints hold scores of the weights that are saved, after all hooks
searched           keeps learning rates and batch sizes that a finder has found
swapped_weights    tells whether callbacks put other weights in place for an evaluation
trial_pruning      ends trials of a sweep early if others did better
validated_images   tells on how many images a score was measured
validated_weights  tells whether a checkpoint's weights are those that were validated
"""
