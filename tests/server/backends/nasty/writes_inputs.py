"""Writes into its inputs, and answers with views of them."""

from modelport_server.backends.base import DTYPES, Traits

TRAITS = Traits("nasty", DTYPES, DTYPES, takes_bytes=True, is_shared=True, keeps_outputs=True, alignment=0)
WAYS = ({},)


def load(_folder, _files, _how):
    def infer(inputs):
        answers = {f"{name}_out": array.copy() for name, array in inputs.items()}
        for array in inputs.values():
            array[...] = "" if array.dtype == object else 0
        return answers

    return infer
