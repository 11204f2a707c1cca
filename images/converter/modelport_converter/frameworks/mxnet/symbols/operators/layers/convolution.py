"""Convolutions and their transposes, of one to three axes, channels first."""

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator

LAYOUTS = {"None", "", "NCW", "NCHW", "NCDHW"}


@operator("Convolution", "Convolution_v1", "_npx_convolution", least=2)
def write_convolution(call: Call) -> str:
    """Write a convolution; weights are [filters, channels / groups, kernel]."""
    kernel = _kernel(call)
    pads = call.whole("pad", [0] * len(kernel))
    return call.add(
        "Conv",
        call.x(),
        *_weights(call, no_bias=False),
        kernel_shape=kernel,
        strides=call.whole("stride", [1] * len(kernel)),
        dilations=call.whole("dilate", [1] * len(kernel)),
        pads=[*pads, *pads],
        group=call.integer("num_group", 1),
    )


@operator("Deconvolution", "_npx_deconvolution", least=2)
def write_deconvolution(call: Call) -> str:
    """Write the transpose of a convolution; weights are [channels, filters / groups, kernel]. There is no bias unless it is said."""
    kernel = _kernel(call)
    strides = call.whole("stride", [1] * len(kernel))
    dilations = call.whole("dilate", [1] * len(kernel))
    if call.has("target_shape") and any(call.whole("target_shape")):
        begins, ends = _pads_to(call, kernel, strides, dilations)
    else:
        begins = list(call.whole("pad", [0] * len(kernel)))
        more = call.whole("adj", [0] * len(kernel))
        ends = [pad - each for pad, each in zip(begins, more, strict=True)]
    beyond = [max(0, -end) for end in ends]
    return call.add(
        "ConvTranspose",
        call.x(),
        *_weights(call, no_bias=True),
        kernel_shape=kernel,
        strides=strides,
        dilations=dilations,
        pads=[*begins, *(max(0, end) for end in ends)],
        group=call.integer("num_group", 1),
        **({"output_padding": beyond} if any(beyond) else {}),
    )


def _pads_to(
    call: Call, kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...]
) -> tuple[list[int], list[int]]:
    """Return what is cut at both ends to come to the lengths in `target_shape` (DeconvolutionParam::InferPad)."""
    begins, ends = [], []
    for axis, wanted in enumerate(call.whole("target_shape")):
        spare = strides[axis] * (call.fixed(axis + 2) - 1) + dilations[axis] * (kernel[axis] - 1) + 1 - wanted
        begins.append((spare + 1) // 2)
        ends.append(spare // 2)
    return begins, ends


def _kernel(call: Call) -> tuple[int, ...]:
    layout = call.text("layout")
    if layout not in LAYOUTS:
        raise call.refuse("expected channels first, as MXNet computes without a GPU", f"layout={layout}")
    return call.whole("kernel")


def _weights(call: Call, *, no_bias: bool) -> list[str]:
    return [call.x(1)] if call.flag("no_bias", no_bias) else [call.x(1), call.x(2)]
