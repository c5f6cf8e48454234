"""Generated from the contract. Do not edit."""
