"""Ask a model of PyTorch in its own framework: `answer_with_pytorch.py FORMAT PATH OUT` writes inputs and outputs.

Runs in converter-pytorch's environment, and imports nothing of Modelport's.
"""

import sys
from pathlib import Path

import numpy as np
import torch

# torchvision's own extension loads beside the build of torch alone that it was made for
DECLARED = torch.library.Library("torchvision", "DEF")
for operator in ("nms", "qnms"):
    DECLARED.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def ask_huggingface(path: str) -> tuple[dict, dict]:
    """Ask a model of transformers with two sentences, one of which is shorter."""
    import transformers

    model = transformers.AutoModel.from_pretrained(path, local_files_only=True).eval()
    tokens = np.random.default_rng(1).integers(1000, model.config.vocab_size, (2, 9))
    mask = np.ones_like(tokens)
    mask[1, 6:] = 0
    inputs = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
    return inputs, dict(model(**{name: torch.from_numpy(each) for name, each in inputs.items()}))


def ask_script(path: str) -> tuple[dict, dict]:
    """Store PNet, whose weights and code lie beside `path`, as TorchScript, and ask it with two images of another size."""
    folder = Path(path).parent
    sys.path.insert(0, str(folder / "code"))
    from facenet_pytorch.models.mtcnn import PNet

    model = PNet(pretrained=False).eval()
    model.load_state_dict(torch.load(folder / "pnet.pt", weights_only=True))
    torch.jit.trace(model, torch.zeros(1, 3, 12, 12)).save(path)
    image = np.random.default_rng(1).uniform(-1, 1, (2, 3, 30, 22)).astype(np.float32)
    return {"image": image}, {f"output_{number}": each for number, each in enumerate(model(torch.from_numpy(image)))}


ASKED = {"huggingface": ask_huggingface, "torchscript": ask_script}

if __name__ == "__main__":
    _, form, path, out = sys.argv
    with torch.no_grad():
        asked, answered = ASKED[form](path)
    np.savez(
        out,
        **{f"in:{name}": each for name, each in asked.items()},
        **{f"out:{name}": np.asarray(each) for name, each in answered.items()},
    )
