"""Persistence: one seam, two engines, one file a noun."""
