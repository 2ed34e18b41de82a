"""A run's folder and what is read back from it.

folder          the names of a run's files, and what they say
listing         all runs under a folder: state, scores, what differs
checkpoints     reading checkpoints safely
safe_torch      files of torch.save, read without trusting them
plain           what may go into a checkpoint: tensors and plain values
safe_yaml       YAML that may come from anywhere
config_changes  which options differ between two configs of a run, and which may
limits          the limits at which training ends
resume          where a run goes on
restored        what checkpoints tell of a run, where its small files are gone
resume_check    whether training can go on from a checkpoint
optimization    the optimizers and schedules that training will have, made before it begins
old_layout      class paths of version 0.1, where the package had no rooms
tested          whether a run's test counts: of these weights, of all images
tested_files    the same as far as files alone tell it, for the list of runs
ledger          a line for each time that the test set was read
"""
