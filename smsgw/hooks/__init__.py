"""The edge to merchants' servers: HTTP out."""
