"""What no error may show of the inside of the system that answers it."""

import re

LEAKS = re.compile(
    r"Traceback \(most recent|File \\?\"[^\"]+\", line \d+|/site-packages/|/[\w./-]+\.py\b|<class '|object at 0x|errors\.pydantic\.dev"
)
