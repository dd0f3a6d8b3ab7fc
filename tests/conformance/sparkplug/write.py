"""Write the tables of docs/sparkplug-conformance.md anew from the checks: python -m ... [profile]."""

import sys

from conformance.sparkplug import checks  # noqa: F401  # each enters its checks
from conformance.sparkplug.frame import PROFILES, write

if __name__ == "__main__":
    for profile in sys.argv[1:] or PROFILES:
        write(profile)
