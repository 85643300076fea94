"""``python -m unmask`` is ``unmask``."""

from unmask.bench.cli import main

if __name__ == "__main__":
    main()
