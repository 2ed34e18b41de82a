"""What surrounds a training run: callbacks, launchers, hardware, work-arounds for Lightning.

callbacks    what a training run leaves behind: config, metrics, checkpoints
machine      which precision and memory layout suit the machine: what decides bf16
environment  versions and hardware
launcher     what torchrun or SLURM has started
process      settings of the process: its speed, and that it ends with its parent
workarounds  every work-around for Lightning, each with its upstream reference
"""
