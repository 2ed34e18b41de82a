"""Code that loads a file of each format, for the model card."""

SNIPPETS = {
    "onnx": """import json

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession({name})
labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
images = np.zeros((3, 28, 28), np.{pixels})
(probabilities,) = session.run(["probabilities"], {{"images": images}})
print([labels[place] for place in probabilities.argmax(1)])
""",
    "pt2": """import json

import torch

extra = {{"metadata.json": ""}}
model = torch.export.load({name}, extra_files=extra).module()
labels = json.loads(json.loads(extra["metadata.json"])["labels"])
images = torch.zeros(3, 28, 28, dtype=torch.{pixels})
probabilities = model(images)
print([labels[place] for place in probabilities.argmax(1)])
""",
    "safetensors": """import numpy as np

import lit_mnist
{imports}
digits = lit_mnist.load({name}{classes})
images = np.zeros((3, 28, 28), np.{pixels})
print([digits.labels[place] for place in digits.predict(images).labels])
""",
}
