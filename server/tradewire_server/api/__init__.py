"""The gRPC edge: one servicer per service of the contract, and the interceptors before them."""
