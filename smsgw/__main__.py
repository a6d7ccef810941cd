"""Lets ``python -m smsgw`` do what the command does."""

from smsgw.cli import main

main()
