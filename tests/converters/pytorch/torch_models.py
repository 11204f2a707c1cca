"""Models as people have them, with weights as if they were trained: the code that builds them, and what they take.

It is code of a source as well: `factory: torch_models:resnet18`. Where torchvision's extension does not load, its operators
must be declared first (`building.torchvision_shim.install`), which the converter does.
"""

from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional


class Model(NamedTuple):
    """A model in evaluation mode, and its inputs."""

    module: nn.Module
    inputs: list[dict[str, Any]]
    """As in spec.source.inputs."""
    example: tuple[torch.Tensor, ...]
    """A question of another length than 1 along each free dimension."""


def resnet18() -> nn.Module:
    """Return torchvision's."""
    import torchvision

    return torchvision.models.resnet18(num_classes=10)


def mobilenet_v3() -> nn.Module:
    """Return torchvision's small one."""
    import torchvision

    return torchvision.models.mobilenet_v3_small(num_classes=10)


def vit() -> nn.Module:
    """Return a vision transformer of the tiny size, with two layers for twelve; it can be scripted."""
    import torchvision

    return torchvision.models.VisionTransformer(64, 16, 2, 3, 192, 768, num_classes=10)


class Lstm(nn.Module):
    """Labels steps, and the sequence by its last states in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 16)
        self.layer = nn.LSTM(16, 24, num_layers=2, bidirectional=True, batch_first=True)
        self.steps, self.whole = nn.Linear(48, 5), nn.Linear(48, 3)

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return [batch, time, 5] and [batch, 3]."""
        answers, (hidden, _cells) = self.layer(self.words(ids))
        return self.steps(answers), self.whole(torch.cat([hidden[-2], hidden[-1]], 1))


class Unet(nn.Module):
    """Halves an image twice, and resizes what it found to what it had."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([self._block(3, 8), self._block(8, 16), self._block(16, 32)])
        self.up = nn.ModuleList([self._block(48, 16), self._block(24, 8)])
        self.last = nn.Conv2d(8, 2, 1)

    def _block(self, taken: int, given: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(taken, given, 3, padding=1), nn.BatchNorm2d(given), nn.ReLU())

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return [batch, 2, height, width], for any height and width."""
        kept: list[torch.Tensor] = []
        for block in self.down:
            image = block(image)
            kept.append(image)
            image = functional.max_pool2d(image, 2, ceil_mode=True)
        image = kept[2]
        for number, block in enumerate(self.up):
            beside = kept[1 - number]
            image = functional.interpolate(image, size=beside.shape[2:], mode="bilinear", align_corners=False)
            image = block(torch.cat([image, beside], 1))
        return self.last(image)


class Yolo(nn.Module):
    """Boxes in pixels beside scores, in one output, as detectors of the YOLO family answer."""

    anchors: torch.Tensor
    strides: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(part for taken, given in ((3, 8), (8, 16), (16, 32)) for part in self._block(taken, given))
        )
        self.further = nn.Sequential(*self._block(32, 32))
        self.heads = nn.ModuleList([nn.Conv2d(32, 4 + 3, 1), nn.Conv2d(32, 4 + 3, 1)])
        places = [self._grid(8, 8), self._grid(4, 16)]
        self.register_buffer("anchors", torch.cat([place for place, _ in places], 1))
        self.register_buffer("strides", torch.cat([stride for _, stride in places], 1))

    def _block(self, taken: int, given: int) -> list[nn.Module]:
        return [nn.Conv2d(taken, given, 3, stride=2, padding=1), nn.BatchNorm2d(given), nn.SiLU()]

    def _grid(self, length: int, stride: int) -> tuple[torch.Tensor, torch.Tensor]:
        steps = torch.arange(length) + 0.5
        rows, columns = torch.meshgrid(steps, steps, indexing="ij")
        place = torch.stack([columns.reshape(-1), rows.reshape(-1)])
        return place, torch.full((1, length * length), float(stride))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return [batch, 4 + 3, 80]: center and size of boxes in pixels, and scores of three classes."""
        fine = self.body(image)
        coarse = self.further(fine)
        found = torch.cat([self.heads[0](fine).flatten(2), self.heads[1](coarse).flatten(2)], 2)
        near, far = functional.softplus(found[:, 0:4]).chunk(2, 1)
        boxes = torch.cat([self.anchors + (far - near) / 2, near + far], 1) * self.strides
        return torch.cat([boxes, found[:, 4:].sigmoid()], 1)


IMAGE = {"name": "image", "shape": ["batch", 3, 64, 64]}
FACTORIES: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "resnet18": (resnet18, [IMAGE]),
    "mobilenet_v3": (mobilenet_v3, [IMAGE]),
    "vit": (vit, [IMAGE]),
    "lstm": (Lstm, [{"name": "ids", "dtype": "int64", "shape": ["batch", "time"]}]),
    "unet": (Unet, [{"name": "image", "shape": ["batch", 3, "height", "width"]}]),
    "yolo": (Yolo, [IMAGE]),
}
"""By name: what `source.code.factory` names (`torch_models:Unet`), and `source.inputs`."""
LENGTHS = {"batch": 3, "time": 7, "height": 37, "width": 50}


def build(name: str) -> Model:
    """Return a model, always the same; normalizations have seen data, and nothing is zero."""
    torch.manual_seed(5)
    factory, inputs = FACTORIES[name]
    module, example = factory(), tuple(_example(each) for each in inputs)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.01)
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = None  # the average of all that it sees; without, a deep network answers all alike
        module.train()(*example)
    return Model(module.eval(), inputs, example)


def export(model: Model) -> torch.export.ExportedProgram:
    """Return the program, with those lengths free that torch.export leaves free: a recurrent layer's time is none."""
    free = tuple(
        {axis: torch.export.Dim.AUTO for axis, length in enumerate(each["shape"]) if isinstance(length, str)}
        for each in model.inputs
    )
    return torch.export.export(model.module, model.example, dynamic_shapes=free)


def _example(given: dict[str, Any]) -> torch.Tensor:
    shape = [LENGTHS.get(length, length) for length in given["shape"]]
    return torch.randint(0, 50, shape) if given.get("dtype") == "int64" else torch.randn(shape)
