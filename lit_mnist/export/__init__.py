"""Trained networks for other programs.

reader            load: a run or a committee as a Python object that reads images
trained_run       the weights of a run or of a committee's members
model             pixels to probabilities, as one PyTorch module
exporter          a model file and its card: written, loaded, compared, or not at all
formats           the formats, their suffixes and what they need
graph             the model as a graph of operations
onnx_file         ONNX
pt2_file          PyTorch's own archive of a graph
safetensors_file  the weights alone
agreement         whether a file says what the run says
facts             what is known of the run, for metadata and card
model_card        MODEL_CARD.md in the form of the Hugging Face hub
card_sections     its sections
card_calibration  the one on how far its probabilities can be trusted
card_table        a table in Markdown
snippets          how a file of each format is loaded
"""
