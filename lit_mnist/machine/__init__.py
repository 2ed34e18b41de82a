"""The machine and its processes: what decides bf16, what limits it, ranks, signals, imports.

control_groups  the control groups that limit this process
environment     restores the environment variables that a command sets
hardware        what decides bf16 and channels-last on a machine; its name and versions
launcher        how many processes torchrun or SLURM has started
light_imports   imports Lightning without torchmetrics' image and audio packages
lost_signals    sends a signal again that was lost where Python allows no exception
patching        how a work-around replaces what is Lightning's
process         settings of the process: for speed on a CPU, and to end with its parent
rank_errors     prints an error that all ranks meet only once
ranks           what each rank keeps for itself: gathers it, checks it, and finds that of this rank
"""
