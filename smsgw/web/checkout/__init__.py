"""The hosted checkout at /pay/…: goods and number, the question on the phone, what came of it, and the way back."""
