"""`python3 -m devcluster COMMAND`."""

import sys

from devcluster.cli import main

sys.exit(main(sys.argv[1:]))
