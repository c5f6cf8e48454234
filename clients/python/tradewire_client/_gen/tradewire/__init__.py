"""Holds generated packages. Do not edit."""
