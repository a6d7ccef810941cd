"""Commands on what is in the store, while the daemon runs or not; each room is a group of the command line."""
