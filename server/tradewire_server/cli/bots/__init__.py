"""Demo bots: a maker and takers that give a newcomer a live market.

They are ordinary clients of the API, each with an account of its own.
"""
