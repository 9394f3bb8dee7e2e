"""Train `dsu_mini`, the small model that ships with this project, from nothing but freely licensed sounds.

`python -m training all` goes from nothing to weights; see README.md beside this. Nothing here is needed to separate.
"""
