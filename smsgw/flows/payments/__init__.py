"""Payments that a phone confirms: asked, answered, charged, and told to whoever waits for them."""
