"""The whole thing on one screen: a simulated operator, a web phone, a merchant's demo site."""
