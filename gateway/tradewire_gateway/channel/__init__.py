"""The channels of a gateway to the server: over the network or within the process."""
