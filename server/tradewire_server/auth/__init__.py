"""Authentication and limits: keys, signatures, tokens, nonces and rate limits.

Everything here is pure: time comes in as `now_ns` (nanoseconds since the epoch), randomness as an
entropy function. Only `master_key` touches a file. Nothing is shared between threads.

- `authenticator` is the front door: it ties `proofs`, `verifier`, `replay`, `tokens` and `throttle`
  together and returns a `caller`;
- `tickets` lets who has a key begin a session for somebody else;
- `keys` is the index of API keys, a fold over journal events; `provisioning` makes the content of
  these events;
- `signing` has the strings to sign, `diagnosis` tells who gets them wrong what is wrong;
- `limits` is the rate limiter, with `bans` and `unfilled_orders`; its numbers stand in
  `limit_policy`;
- `errors` has the refusals, by the names of the contract's reasons.
"""
