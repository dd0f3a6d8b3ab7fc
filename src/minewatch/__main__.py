"""`python -m minewatch`."""

from minewatch.cli import main

main()
