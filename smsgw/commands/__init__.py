"""The commands that look into the database and change it, beside a running daemon."""
