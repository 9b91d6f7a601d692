"""`python -m lase_job`, the entry point that `lase submit` gives its jobs."""

import sys

from .command import main

sys.exit(main())
