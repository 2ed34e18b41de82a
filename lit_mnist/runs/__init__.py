"""A run's folder: the names of its files, reading them safely, resuming, the ledger.

folder          paths and names of a run's files, best.ckpt and last.ckpt among them
run_config      reads a run's config.yaml, and flattens it
listing         lists the runs under a folder: state, scores, differing options
differing       the options and test images in which several runs differ
regular_files   refuses a folder or a pipe in the place of a run's file
results_file    reads results.json, and checks the kinds of its entries
checkpoints     reads checkpoints safely
entries         the names of our own entries in checkpoints
weights         form and finiteness of a checkpoint's weights and extra states
digests         hashes of weights, so that equal hashes mean equal networks
safe_torch      loads files of torch.save without trusting them
plain           checks what goes into a checkpoint: tensors and plain values
safe_yaml       loads YAML without trusting it
callback_kinds  the callbacks among a config's options, and their classes
config_changes  options that differ between two configs, and which of them may
limits          the limits at which training ends
resume          where a run is resumed
early_stopping  the stops and the patience of EarlyStopping in a checkpoint, and as set now
ended           why a run has ended, and whether its options let it go on
trained_on      the images that a checkpoint was trained on, by their hashes
best_score      the score of best.ckpt, and whether it is still the scored file
of_training     the run that a checkpoint was trained in, and its rows of metrics.csv
restored        restores lost small files of a run from its checkpoints
resume_check    checks that training can be resumed from a checkpoint
copies          copies a module, so that asking it changes nothing
known_states    the structure of the states of PyTorch's optimizers and schedules, and of ours
optimization    the optimizers and schedules of a module, built before training
relative_paths  paths of checkpoints as seen from a run's folder
version_0_1     class paths and sums of version 0.1, when the package had no rooms
same_members    whether a committee's folder holds the results of the same members
tested          whether a run's test is valid: of these weights, of all images
tested_files    a quick version of that, without loading weights, for the list of runs
unrecorded      notes why a test left no record, so that the same one is not made again
ledger          reads ledger.csv, and adds a line for each time that the test set was read
"""
