"""Reads what the contract says about itself: the annotations on its methods, fields and values."""
