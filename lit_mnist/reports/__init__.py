"""Results of a run, a test and a committee: tables, pictures, statistics.

run_report        files and pictures of a test
scores            the scores of a test, and why one is not recorded
run_curves        curves.png, after training and after a test
held_out          predictions of the tested weights for the held-out training images
calibration       proper scores, calibration error, temperature
abstention        confidence thresholds, set on held-out images
no_digit          fits the detector of images that are no digit, when a run is tested
predictions       predictions for each image, gathered from all ranks
digits_report     files of `predict`: the digits in the user's pictures
digits_table      rows of digits.csv and digits.json, and the table on the terminal
digits_sheet      digits.png: pictures with boxes, and each digit as the net sees it
committee_report  files and pictures of a committee's test
committee_facts   entries of results.json about a committee and its members
cascade_report    cost and predictions of a committee used as a cascade
out_of_fold       predictions of a committee of folds for the training images
label_issues      labels that out-of-fold predictions contradict
committee_table   report.md: a committee's scores beside its members'
page              one HTML file about one or several runs
run_names         names of runs in tables and charts
page_facts        reads the content of that page from a run's folder
page_charts       charts of that page
sweep_page        one HTML file about a sweep
notebook          the notebook's six systems and figures
notebook_table    the notebook's table beside ours
plots             curves of accuracy and loss, confusion matrix
gallery           misclassified images
committee_plots   errors by size of a committee, its members' votes on its errors
figures           common style of all pictures, and writing them
comparison        whether tested runs, or the seeds of systems, differ by more than chance
statistics        confidence intervals and significance tests
"""
