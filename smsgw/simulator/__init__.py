"""An SMSC that is a good citizen or any kind of bad one; for the demo, tests, test mode and bench."""
