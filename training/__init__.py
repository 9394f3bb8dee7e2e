"""Train `dsu_mini`, the small model that ships with this project, using only freely licensed sounds.

`python -m training all` does everything from sounds to weights; see README.md. Separating needs nothing from here.
"""
