"""The API for merchants' servers: JSON in and out, every fault a problem (RFC 9457), described by its own types."""
