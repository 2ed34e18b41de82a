"""What surrounds a training run: callbacks, launchers, hardware, work-arounds for Lightning.

callbacks    what a training run leaves behind: config, metrics, checkpoints
final_weights  what callbacks such as an average of weights end with, kept in last.ckpt
hardware     the machine: its name, and the precision (bf16) and memory layout that suit it
launcher     what torchrun or SLURM has started
process      settings of the process: its speed, and that it ends with its parent
workarounds  every work-around for Lightning, each with its upstream reference
"""
