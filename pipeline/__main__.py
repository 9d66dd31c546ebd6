"""`python -m pipeline` is `certstate`."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
