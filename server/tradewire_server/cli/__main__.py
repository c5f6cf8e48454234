"""Lets `python -m tradewire_server.cli` do what `tradewire` does."""

from tradewire_server.cli.main import main

if __name__ == "__main__":
    main()
