"""`modelport completion`: what a shell sources to complete commands, options, names and formats."""

import sys
from typing import Literal

from modelport_cli.application import NAME, make_app


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print what completes commands, options, formats, and names of resources and namespaces in a shell.

    Names come from the cluster of the kube context at the time of asking.

        source <(modelport completion bash)                                      # in ~/.bashrc
        modelport completion zsh > "${fpath[1]}/_modelport"
        modelport completion fish > ~/.config/fish/completions/modelport.fish

    Parameters
    ----------
    shell
        The shell.
    """
    sys.stdout.write(make_app(None).generate_completion(prog_name=NAME, shell=shell))
