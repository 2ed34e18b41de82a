"""What an exact resume needs beyond what Lightning and PyTorch keep in a checkpoint.

after_start        callbacks that restore something after the hooks of the start
across_resumes     the callbacks that keep state across a resume
asked_stop         the stop that a callback or the module has asked for
cut_short_files    takes back what is saved at the end of an epoch that training cuts short
epoch_end          makes up for the validation or the early end that follows a resumed step
epoch_start        calls the hooks of an epoch's start again, when it is resumed from within
frozen             keeps track of frozen layers, and of those in evaluation mode
generators         keeps the states of the random generators
kept_state         keeps what a checkpoint holds, while hooks are called
own_state          keeps what modules and callbacks load of their own, while hooks are called
lacks              notes what a checkpoint lacks for an exact resume
last_metrics       keeps the last value of all that was logged
metric_states      what a user's metrics have counted
own_patience       the patience of EarlyStopping as it is set now, and its stop
own_generators     keeps the states of generators that modules and callbacks have
own_passes         keeps how many passes a user's own loops have made
partial_logs       keeps what a module has logged of an epoch, and its metrics
pending_gradients  keeps the gradients that a module's own optimization has not used
plain_states       checks before the first step what checkpoints will hold
rank_buffers       keeps buffers that differ between ranks
resumed_epoch      restores what Lightning skips when a run is resumed within an epoch
same_sums          adds the gradients of several ranks in the same order
saved_again        saves a user's checkpoints of the end of training once
saved_steps        when and where a user's ModelCheckpoints have saved last, and who waits to save
schedule_lengths   checks that schedules are those of before, and as long as training
schedule_values    how a schedule differs from the one whose state is loaded
spikes             makes SpikeDetection resume with the losses that it has averaged
"""
