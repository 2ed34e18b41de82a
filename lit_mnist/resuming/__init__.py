"""What an exact resume needs beyond what Lightning and PyTorch keep in a checkpoint.

across_resumes    the callbacks that keep state across a resume
epoch_start       calls the hooks of an epoch's start again, when it is resumed from within
frozen            keeps track of frozen layers: across a resume, and for DDP
generators        keeps the states of the random generators
kept_state        keeps what a checkpoint holds, while hooks are called
last_metrics      keeps the last value of all that was logged
partial_logs      keeps what a module has logged of an epoch, and its metrics
pending_gradients  keeps the gradients of manual optimization
plain_states      checks before the first step what checkpoints will hold
ranks             gathers what each rank keeps for itself
resumed_epoch     restores what Lightning skips when a run is resumed within an epoch
schedule_lengths  checks that schedules are those of before, and as long as training
schedule_values   how a schedule differs from the one whose state is loaded
"""
