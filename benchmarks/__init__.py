"""Measurements of whole commands, side by side with their physical limits; see README.md here."""
