"""Models of PyTorch as people train them, small or of torchvision, with random weights: the code of their weights, too.

Each of MODELS builds one; INPUTS says what it takes, as a manifest does.
"""

import torch
import torchvision
from torch import nn
from torch.nn import functional


class Recurrent(nn.Module):
    """A bidirectional LSTM of two layers over a series, with a label for each step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 16, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 5)

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.lstm(series)
        return functional.log_softmax(self.head(hidden), dim=-1)


def convolved(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU())


class UNet(nn.Module):
    """Down twice and up again, by a bilinear resize to the size of what is joined, for images of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = convolved(3, 8), convolved(8, 16), convolved(16, 16)
        self.up, self.out, self.mask = convolved(32, 8), convolved(16, 8), nn.Conv2d(8, 2, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        first = self.first(image)
        second = self.second(functional.max_pool2d(first, 2))
        third = self.third(functional.max_pool2d(second, 2))
        third = functional.interpolate(third, size=second.shape[-2:], mode="bilinear", align_corners=False)
        up = self.up(torch.cat([second, third], dim=1))
        up = functional.interpolate(up, size=first.shape[-2:], mode="bilinear", align_corners=False)
        return torch.sigmoid(self.mask(self.out(torch.cat([first, up], dim=1))))


class Detector(nn.Module):
    """Boxes in pixels and scores of three classes in one output, a row for each cell of a grid, as YOLO has them."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(convolved(3, 8), nn.MaxPool2d(2), convolved(8, 16), nn.MaxPool2d(2), nn.SiLU())
        self.head = nn.Conv2d(16, 7, 1)
        lines = torch.arange(16.0) * 4 + 2
        self.register_buffer("centres", torch.stack(torch.meshgrid(lines, lines, indexing="ij")[::-1]).reshape(2, -1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found = self.head(self.trunk(image)).flatten(2)
        middle = found[:, :2].tanh() * 8 + self.centres
        size = found[:, 2:4].sigmoid() * 32
        return torch.cat([middle, size, found[:, 4:].sigmoid()], dim=1).transpose(1, 2)


def resnet18() -> nn.Module:
    return torchvision.models.resnet18(weights=None)


def mobilenet_v3() -> nn.Module:
    return torchvision.models.mobilenet_v3_small(weights=None)


def vit() -> nn.Module:
    return torchvision.models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=4, hidden_dim=32, mlp_dim=64, num_classes=10
    )


def lstm() -> nn.Module:
    return Recurrent()


def unet() -> nn.Module:
    return UNet()


def detector() -> nn.Module:
    return Detector()


MODELS = {each.__name__: each for each in (resnet18, mobilenet_v3, vit, lstm, unet, detector)}
PIXELS = {"range": [-1, 1]}


def image(*sides: int | str) -> list[dict[str, object]]:
    return [{"name": "image", "shape": ["batch", 3, *sides], "values": PIXELS}]


INPUTS = {
    "resnet18": image(64, 64),
    "mobilenet_v3": image(64, 64),
    "vit": image(32, 32),
    "lstm": [{"name": "series", "shape": ["batch", "time", 8]}],
    "unet": image("height", "width"),
    "detector": image(64, 64),
}
SIDES = {"min": 16, "max": 64, "multipleOf": 4}
DIMENSIONS = {"unet": {"height": SIDES, "width": SIDES}, "lstm": {"time": {"max": 64}}}
