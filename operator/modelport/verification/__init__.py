"""When two models are the same: samples, the source model's answers to them, measured errors, and the judgement.

At the source, `samples` makes the questions and `source` asks them, several times over: what differs then is noise,
and `reference` keeps all of it. At the target, `calls` asks the converted model, `companies` asks its rows in company,
and `answers` keeps what it said. Then, with neither model at hand, `evidence` puts numbers on the differences by
`measure`, and `judge` says whether they pass. `judge` alone needs no numpy, because the operator judges stored
evidence again when only the tolerance changed; so nothing is imported here.
"""
