"""The edge to visitors: HTTP in."""
