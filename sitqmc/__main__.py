"""`python -m sitqmc` runs the command line."""

import sys

from sitqmc.runs.cli.main import main

sys.exit(main())
