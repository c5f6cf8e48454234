"""The gateways: clients of the contract that speak other protocols to the outside."""
