"""Recurrent layers, step by step, where PyTorch's own layers mean something else (ONNX: LSTM, GRU, RNN)."""

import torch
from torch import Tensor

ACTIVATIONS = (
    *("Sigmoid", "Tanh", "Relu", "HardSigmoid", "LeakyRelu", "ThresholdedRelu", "ScaledTanh"),
    *("Elu", "Softsign", "Softplus", "Affine"),
)


def activate(x: Tensor, name: str, alpha: float, beta: float) -> Tensor:
    """Return an activation by ONNX's name."""
    if name == "Sigmoid":
        return torch.sigmoid(x)
    if name == "Tanh":
        return torch.tanh(x)
    if name == "Relu":
        return torch.relu(x)
    if name == "HardSigmoid":
        return (alpha * x + beta).clamp(0.0, 1.0)
    if name == "LeakyRelu":
        return torch.where(x < 0, alpha * x, x)
    if name == "ThresholdedRelu":
        return torch.where(x > alpha, x, torch.zeros_like(x))
    if name == "ScaledTanh":
        return alpha * torch.tanh(beta * x)
    if name == "Elu":
        return torch.where(x < 0, alpha * (torch.exp(x) - 1), x)
    if name == "Softsign":
        return x / (1 + x.abs())
    if name == "Softplus":
        return torch.log1p(torch.exp(-x.abs())) + torch.relu(x)
    return alpha * x + beta


def limit(x: Tensor, clip: float) -> Tensor:
    """Return x within plus and minus a limit; 0 is none."""
    return x.clamp(-clip, clip) if clip > 0 else x


def lstm_steps(
    x: Tensor,
    weights: Tensor,
    recurrence: Tensor,
    bias: Tensor,
    peepholes: Tensor,
    h: Tensor,
    c: Tensor,
    lengths: Tensor,
    backward: bool,
    clip: float,
    coupled: bool,
    names: list[str],
    alphas: list[float],
    betas: list[float],
) -> tuple[Tensor, Tensor, Tensor]:
    """Run an LSTM in one direction over x [steps, batch, size]; gates are input, output, forget, cell."""
    steps, size = x.shape[0], h.shape[-1]
    answers: list[Tensor] = []
    for number in range(steps):
        step = steps - 1 - number if backward else number
        inside = (step < lengths).unsqueeze(1)
        gates = x[step] @ weights.t() + h @ recurrence.t() + bias
        i, o, f, g = gates[:, :size], gates[:, size : 2 * size], gates[:, 2 * size : 3 * size], gates[:, 3 * size :]
        i = activate(limit(i + peepholes[:size] * c, clip), names[0], alphas[0], betas[0])
        f = activate(limit(f + peepholes[2 * size :] * c, clip), names[0], alphas[0], betas[0])
        if coupled:
            f = 1 - i
        next_c = f * c + i * activate(limit(g, clip), names[1], alphas[1], betas[1])
        o = activate(limit(o + peepholes[size : 2 * size] * next_c, clip), names[0], alphas[0], betas[0])
        next_h = o * activate(next_c, names[2], alphas[2], betas[2])
        answers.append(torch.where(inside, next_h, torch.zeros_like(next_h)))
        h, c = torch.where(inside, next_h, h), torch.where(inside, next_c, c)
    answer = torch.stack(answers)
    return (torch.flip(answer, [0]) if backward else answer), h, c


def gru_steps(
    x: Tensor,
    weights: Tensor,
    recurrence: Tensor,
    bias: Tensor,
    h: Tensor,
    lengths: Tensor,
    backward: bool,
    clip: float,
    reset_after: bool,
    names: list[str],
    alphas: list[float],
    betas: list[float],
) -> tuple[Tensor, Tensor]:
    """Run a GRU in one direction over x [steps, batch, size]; gates are update, reset, hidden."""
    steps, size = x.shape[0], h.shape[-1]
    given, held = bias[: 3 * size], bias[3 * size :]
    answers: list[Tensor] = []
    for number in range(steps):
        step = steps - 1 - number if backward else number
        inside = (step < lengths).unsqueeze(1)
        gates = x[step] @ weights.t() + given
        both = gates[:, : 2 * size] + h @ recurrence[: 2 * size].t() + held[: 2 * size]
        both = activate(limit(both, clip), names[0], alphas[0], betas[0])
        update, reset = both[:, :size], both[:, size:]
        if reset_after:
            hidden = gates[:, 2 * size :] + reset * (h @ recurrence[2 * size :].t() + held[2 * size :])
        else:
            hidden = gates[:, 2 * size :] + (reset * h) @ recurrence[2 * size :].t() + held[2 * size :]
        hidden = activate(limit(hidden, clip), names[1], alphas[1], betas[1])
        next_h = (1 - update) * hidden + update * h
        answers.append(torch.where(inside, next_h, torch.zeros_like(next_h)))
        h = torch.where(inside, next_h, h)
    answer = torch.stack(answers)
    return (torch.flip(answer, [0]) if backward else answer), h


def rnn_steps(
    x: Tensor,
    weights: Tensor,
    recurrence: Tensor,
    bias: Tensor,
    h: Tensor,
    lengths: Tensor,
    backward: bool,
    clip: float,
    names: list[str],
    alphas: list[float],
    betas: list[float],
) -> tuple[Tensor, Tensor]:
    """Run a simple recurrent layer in one direction over x [steps, batch, size]."""
    steps, size = x.shape[0], h.shape[-1]
    answers: list[Tensor] = []
    for number in range(steps):
        step = steps - 1 - number if backward else number
        inside = (step < lengths).unsqueeze(1)
        gates = x[step] @ weights.t() + h @ recurrence.t() + bias[:size] + bias[size:]
        next_h = activate(limit(gates, clip), names[0], alphas[0], betas[0])
        answers.append(torch.where(inside, next_h, torch.zeros_like(next_h)))
        h = torch.where(inside, next_h, h)
    answer = torch.stack(answers)
    return (torch.flip(answer, [0]) if backward else answer), h
