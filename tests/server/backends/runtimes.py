"""Which runtimes the backends' suite asks: those that the environment has, or the one that it was started for."""

import os
from importlib import import_module

from modelport.runtimes import RUNTIMES

ONLY = "MODELPORT_TEST_RUNTIME"


def _is_here(runtime: str) -> bool:
    try:
        import_module(f"modelport_server.backends.{runtime}")
    except ModuleNotFoundError:
        return False
    return True


HERE: list[str] = [os.environ[ONLY]] if ONLY in os.environ else [name for name in RUNTIMES if _is_here(name)]
