"""From PyTorch models to graphs: ONNX files, TorchScript, programs of torch.export; and what is doubtful about them."""
