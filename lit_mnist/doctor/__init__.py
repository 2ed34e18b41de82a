"""The checks of `doctor`: whether this machine is ready for a run.

finding   the result of a check: verdict, text, remedy
software  versions of Python and packages against the required ones; extras
cores     the cores that this process may use: machine, affinity, control groups
threads   the number of threads against the cores
devices   the device of a run, and its fastest precision
storage   the data, the log folder and its disk, file locks, clocks
launcher  the processes of torchrun or SLURM against the config
"""
