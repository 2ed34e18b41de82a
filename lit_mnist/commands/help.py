"""What `--help` says of the program and of the commands that are not Lightning's own."""

PROGRAM = """\
usage: python cli.py COMMAND --config configs/NAME.yaml [options]

Trains, tests and applies the networks of the Keras MNIST notebook in PyTorch Lightning.

commands:
  fit        train a model; the same command again resumes it, or says that it is complete
  validate   score a trained model on the 10,000 held-out training images
  test       score it on the 10,000 test images; writes predictions, pictures and results.json
  predict    name the digits in your own image files: --data.images FILE...
  committee  train several networks of one kind and test their average: --members 5
  reproduce  run the notebook's six systems and set our figures beside its own
  compare    tell whether one run is better than another, or lucky: RUN RUN

examples:
  python cli.py fit --config configs/simple_plateau.yaml
  python cli.py test --config configs/simple_plateau.yaml
  python cli.py predict --config configs/simple_plateau.yaml --data.images digit.png
  python cli.py fit --config configs/deep.yaml --config configs/overlays/gpu.yaml
  python cli.py committee --config configs/deep.yaml --members 5
  python cli.py compare tb_logs/simple/seed_42 tb_logs/simple_plateau/seed_42
  tensorboard --logdir tb_logs

options that most people use:
  --config FILE             a system from configs/; more of them are laid on top of each other
  --trainer.max_epochs N    how long to train
  --model.lr RATE           Adam's learning rate
  --data.dataset NAME       MNIST, FashionMNIST, KMNIST, EMNIST or QMNIST
  --data.batch_size N       images in a step (86)
  --seed_everything N       seed of weights, order, augmentation and dropout (42)
  --name NAME               the run's name (the config file's)
  --fresh                   replace a run instead of resuming it

A run lies in tb_logs/NAME/seed_N/. `python cli.py COMMAND --help` lists every option of a command;
what stands on the command line always wins over the files. `--version` tells the version.
"""

COMMITTEE = """\
usage: python cli.py committee --config configs/NAME.yaml [--members N] [options of fit]

Trains N networks whose seeds follow one another, each an ordinary run in
tb_logs/NAME/seed_<k>/, tests each and then their average. What is finished is not
trained again, so the same command goes on after a stop. Members are chosen by nothing but
their seed. The report lies in tb_logs/NAME/committee_N/.

options:
  --members N       how many (5); their seeds are --seed_everything, +1, ...
  --average HOW     probabilities (default), logits or vote
  --jobs N          members trained at once: each has a GPU, or an equal share of the cores (1)
  --member K        train member K alone, from 0, and stop: for a SLURM array or several machines
                    that share tb_logs; a last call without it puts the members together

All options of fit apply: python cli.py fit --help
"""

REPRODUCE = """\
usage: python cli.py reproduce [--only NAME ...] [--seeds N] [--jobs N] [options of fit]

Runs the six systems of the notebook with its settings and epochs, and writes tutorial.json,
tutorial.md and two pictures into results/: the notebook's figures beside ours. Finished runs in
tb_logs/ are used as they are, so the same command goes on after a stop. In full it takes hours
on two cores; the time that is left is said at the start and after each run.

options:
  --only NAME ...   a part: dense simple simple_augmented simple_plateau committee_simple
                    committee_deep
  --seeds N         runs of each single system, from seed --seed_everything on (1); the table then
                    has mean and standard deviation
  --jobs N          runs at once: each has a GPU, or an equal share of the cores (1)
  --output DIR      where table and pictures go (results)

Options of fit apply to every run, such as --data.data_dir or --trainer.max_epochs.
"""

COMPARE = """\
usage: python cli.py compare RUN RUN

Tells whether two tested runs differ by more than chance, on the same test images: the images that
only one of them has right, and McNemar's exact test of them. A RUN is a run's folder, such as
tb_logs/deep/seed_42 or tb_logs/deep/committee_5, or a predictions.csv.
"""

OWN = {"committee": COMMITTEE, "reproduce": REPRODUCE, "compare": COMPARE}
