"""MXNet's operators as ONNX, one small function each, in folders by families; `node` says what they are given."""
