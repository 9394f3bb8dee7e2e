"""`python -m demucs`: the program dsu-demucs."""

from .separate import main

if __name__ == "__main__":
    main()
