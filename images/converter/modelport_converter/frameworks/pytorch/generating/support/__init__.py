"""Functions that generated modules have in their file: what ONNX means and no function of PyTorch does.

They are copied as they stand here, so each is whole by itself but for those that it calls. Eager PyTorch, TorchScript
and torch.export run them: types are TorchScript's, and no length is looked at to decide something.
"""
