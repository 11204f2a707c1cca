"""When two models are the same: samples, the source model's answers to them, measured errors, and the judgement.

Two halves. At the source: `samples` makes inputs, `floor` measures how much the source model disagrees with itself,
`reference` keeps both for later steps. At the target: `verify` asks the converted model the same questions, `measure`
puts numbers on the differences, `judge` says whether they pass. `judge` alone needs no numpy, because the operator
judges stored evidence again when only the tolerance changed; so nothing is imported here.
"""
