"""What judges objects in these tests: the program of kstatus and Argo CD, and the script that is shipped for it."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from devcluster import binaries
from devcluster.paths import find_paths

Body = dict[str, Any]
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPT = "resource.customizations.health.modelport.dev_ModelConversion"


class Seen(NamedTuple):
    """What those see who deploy a resource."""

    kstatus: str
    argo: str


CURRENT, FAILED, IN_PROGRESS = Seen("Current", "Healthy"), Seen("Failed", "Degraded"), Seen("InProgress", "Progressing")
SUSPENDED, SUSPENDED_BEFORE = Seen("Current", "Suspended"), Seen("InProgress", "Suspended")
DELETING = Seen("Terminating", "Progressing")


class Checkers(NamedTuple):
    """The program with a script."""

    program: str
    script: Path

    def look(self, bodies: Iterable[Body]) -> list[Seen]:
        """Return what is seen of objects, in their order."""
        text = "".join(json.dumps(body) + "\n" for body in bodies)
        done = self.run("-lua", str(self.script), text=text)
        assert done.returncode == 0, done.stderr
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert all(each["argo"]["message"] for each in found), "whoever looks is told why"
        return [Seen(each["kstatus"]["status"], each["argo"]["status"]) for each in found]

    def run(self, *options: str, text: str) -> subprocess.CompletedProcess[str]:
        """Run the program."""
        return subprocess.run([self.program, *options], input=text, capture_output=True, text=True, check=False)


def make_checkers(folder: Path) -> Checkers:
    """Return them; the program is built first if need be."""
    paths = find_paths()
    paths.make()
    script = folder / "health.lua"
    script.write_text(yaml.safe_load((EXAMPLES / "argocd/argocd-cm.yaml").read_text())["data"][SCRIPT])
    return Checkers(str(binaries.build(paths, binaries.HEALTH)[0]), script)
