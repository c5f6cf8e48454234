"""The command line: run a venue, trade on it and look into its journal."""
