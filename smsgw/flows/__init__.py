"""Use cases: what happens between an edge and the store. No sockets."""
