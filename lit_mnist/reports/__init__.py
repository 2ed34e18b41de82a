"""What a run, a test and a committee leave to be looked at: tables, pictures, statistics.

run_report        what a test leaves behind
run_curves        a run's curves, when its training ends and when it is tested
held_out          what the tested weights say of the held-out training images
calibration       how far probabilities can be trusted: scores, calibration error, temperature
abstention        thresholds from the held-out images, and what is answered above them
no_digit          the rule by which an image holds no digit, fitted when a run is tested
predictions       what is said of each image, gathered from all ranks
digits_report     what a prediction leaves behind: the digits in the user's pictures
digits_sheet      pictures with their boxes, and each digit as the net saw it
committee_report  what a committee's test leaves behind
committee_facts   what is said of it and of each member, for results.json
cascade_report    what a committee costs if its members are asked one after another
out_of_fold       what a committee of folds says of the training images
label_issues      labels that out-of-fold predictions contradict
committee_table   its scores beside its members'
page              one HTML file about a run or several
page_facts        what it tells of a run, read from its folder
page_charts       its charts
sweep_page        one HTML file about a sweep
notebook          the notebook's six systems and figures
notebook_table    its table beside ours
plots             curves of accuracy and loss, confusion matrix
gallery           misclassified images
committee_plots   errors by size of a committee, its votes on what it misclassified
figures           what all pictures share, and how they are written
statistics        how far chance may carry a proportion, a mean or a difference
"""
