"""What exporters are known to get wrong, a module for each; the code of a source, and what answers for it."""

import torch
from torch import nn
from torch.nn import functional


class Pooled(nn.Module):
    """Averages whose last windows hang over: what is beyond the padding counts nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        y = self.layer(x)
        return (
            functional.avg_pool2d(y, 3, 2, padding=1, ceil_mode=True),
            functional.avg_pool2d(y, 3, 2, padding=1, ceil_mode=True, count_include_pad=False),
            functional.avg_pool2d(y, 3, 2, ceil_mode=True),
            functional.max_pool2d(y, 3, 2, padding=1, ceil_mode=True),
        )


class Divided(nn.Module):
    """An average with a divisor of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        return functional.avg_pool2d(self.layer(x), 3, 2, ceil_mode=True, divisor_override=5)


class Pixel(nn.Module):
    """Resizes to one pixel, and one row: there is no corner to align then."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        y = self.layer(x)
        return (
            functional.interpolate(y, size=1, mode="bilinear", align_corners=False),
            functional.interpolate(y, size=1, mode="bilinear", align_corners=True),
            functional.interpolate(y, size=(1, 5), mode="bilinear", align_corners=False),
        )


class Unlearned(nn.Module):
    """A normalization that has no statistics but its question's."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Conv1d(4, 3, 1), nn.BatchNorm1d(3, track_running_stats=False)

    def forward(self, x):
        return self.norm(self.layer(x))


class PackedLstm(nn.Module):
    """Ends each row where its length says."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(4, 3, batch_first=True, bidirectional=True)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        steps = self.layer(packed)[0]
        return nn.utils.rnn.pad_packed_sequence(steps, batch_first=True, total_length=x.shape[1])[0]


class HalvedLstm(nn.Module):
    """Takes every second step, so that exporters know the length as an expression."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(4, 3, batch_first=True, bidirectional=True)

    def forward(self, x):
        return self.layer(x[:, ::2])[0]


class SecondAxis(nn.Module):
    """Takes time first; begins with zeros that it makes, and with a token that it repeats."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.token = nn.GRU(4, 3, num_layers=2, bidirectional=True), nn.Parameter(torch.randn(1, 1, 4))

    def forward(self, x):
        steps = torch.cat([self.token.expand(-1, x.shape[1], -1), x])
        return self.layer(steps, torch.zeros(4, x.shape[1], 3))


class Split(nn.Module):
    """Splits by a length that it takes from its question."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        y = self.layer(x)
        half = y.shape[1] // 2
        first, rest = y[:, :half], y[:, half:]
        left, right = y.split([half, y.shape[1] - half], 1)
        return first.sum(1), rest.sum(1), left.amax(1), right.amax(1)


class Signed(nn.Module):
    """Divides, and takes the rest, on both sides of zero."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x, n):
        y = self.layer(x)
        whole = (n // 3, n % 3, n.remainder(-3), torch.fmod(n, 3), torch.div(n, -3, rounding_mode="trunc"))
        return y, *whole, torch.div(n, 3, rounding_mode="floor"), y.round() % -2, torch.fmod(y.round(), 2)


class Floored(nn.Module):
    """Divides numbers with a point, down."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return self.layer(x) + (x.round() - 0.25) // 2


class Hidden(nn.Module):
    """Attention some of whose rows see nothing: PyTorch answers zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x, lengths):
        seen = torch.arange(x.shape[1]) < lengths[:, None]
        y = self.layer(x)
        return functional.scaled_dot_product_attention(y, y, y, attn_mask=seen[:, None])


class Wide(nn.Module):
    """Computes in float64."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4).double()

    def forward(self, x):
        return torch.tanh(self.layer(x)) + 1e-9
