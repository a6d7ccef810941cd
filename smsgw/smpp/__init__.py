"""SMPP 3.4 without sockets: bytes in, events out, bytes to write and deadlines as data."""
