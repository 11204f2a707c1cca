"""PaddlePaddle: programs of Paddle 1 and 2 (ProgramDesc) and of Paddle 3 (PIR), asked by Paddle, converted by paddle2onnx."""
