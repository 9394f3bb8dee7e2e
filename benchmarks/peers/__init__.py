"""DSU and the programs that it is compared with, in one run, in turns, with the same weights, audio and settings.

rows.py      what is compared: each row has models, contests of programs, and its bare network
models.py    the files of the models: public sizes, random weights
programs.py  whole programs, from file to files, and whether their stems agree
forward.py   bare networks, in a process that has the packages of all programs
ceiling.py   the products of matrices in a network, and how fast this machine is with them
workers.py   the life of a worker: start, loading, switching, other workers beside it
report.py    tables; chart.py: bars
"""
