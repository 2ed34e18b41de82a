"""Trained networks for other programs.

reader            load: a run or a committee as a Python object that classifies images
arrays            the images that it takes: arrays, files and Pillow's images
trained_run       the networks of a run or of a committee's members
model             pixels to probabilities, as one PyTorch module
exporter          writes a model file and its card, and checks the file
formats           the formats, their suffixes and the packages that they need
graph             the model as a graph of operations, by torch.export
onnx_file         ONNX
pt2_file          PyTorch's own archive of a graph
safetensors_file  only the weights
agreement         compares a file's predictions with the run's
facts             facts about the run for metadata and card
model_card        MODEL_CARD.md in the form of the Hugging Face hub
card_sections     its sections
card_calibration  its section about calibration
card_table        a table in Markdown
snippets          code that loads a file of each format
"""
