"""What `doctor` looks at: whether a run will go well on this machine.

finding   what one check found: verdict, text, remedy
software  Python, packages against the versions that are needed, extras
cores     the cores that this process may use: machine, affinity, control groups
threads   threads against these cores
devices   what a run computes on, and how
storage   the data, the log folder and its disk, file locks, clocks
launcher  what torchrun or SLURM has set, against the config
"""
