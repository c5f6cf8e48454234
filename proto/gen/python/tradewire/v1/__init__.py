"""Generated from the contract, package tradewire.v1. Do not edit."""
