"""Pure decisions: facts, time and randomness in, effects out. No I/O of any kind."""
