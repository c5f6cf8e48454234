"""Authentication and limits: keys, signatures, tokens, nonces and rate limits."""
