"""The commands. fit, validate, test and predict are LightningCLI's; the others are our own.

run_cli         fit, validate, test, predict: LightningCLI over everything
committee       trains members and tests their average
reproduce       runs the notebook's six systems
compare         tells a difference between two runs from luck
options         the options of the commands, and what they set up
plans           runs as their options describe them: trained? tested?
jobs            runs of fit as processes of their own, several at a time
arguments       the command line before it is parsed
configs         config files before the parser reads them
names           names and folders that options give
trainer_values  values that Lightning takes without a word
messages        one line for what the parser refuses
failures        what libraries raise, told in a line
help            what --help says
"""
