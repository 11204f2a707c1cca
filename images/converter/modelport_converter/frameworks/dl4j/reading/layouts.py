"""Where channels stand: behind the batch, as DL4J has it by default, or last."""

from modelport_converter.frameworks.dl4j.reading.fields import Fields, corrupt

FIRST = ("NCHW", "NCW", "NCDHW")
LAST = ("NHWC", "NWC", "NDHWC")


def is_last(fields: Fields, *names: str) -> bool:
    """Whether channels stand last, by the first of these fields that is there."""
    for name in names:
        text = fields.text(name)
        if text and text not in FIRST + LAST:
            raise corrupt(f"{fields.where:.100}.{name}: expected {', '.join(FIRST + LAST)}, found {text:.50}")
        if text:
            return text in LAST
    return False
