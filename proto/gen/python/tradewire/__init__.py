"""Generated from the contract, package tradewire. Do not edit."""
