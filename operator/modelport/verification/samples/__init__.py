"""Questions for a model, made from its signature and from what it accepts: seeded, of several sizes, over its values.

`plan.py` puts them together from lengths (`lengths.py`), integers (`integers.py`), values (`values.py`) and edges
(`edges.py`); `probing.py` asks the model.
"""
