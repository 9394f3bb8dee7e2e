"""`dsu batch`: a manifest of songs over one machine or many, on Ray. An optional extra; workers import none of it.

What happens, module by module: `options` understands the command line. `manifest` reads and checks every row before anything starts, and `storage`
reaches files wherever they are. `plan` keeps the jobs, on disk. `driver` deals them to `actors`, each with a worker of its own. `ledger` makes a result
count once, however often it was computed. `results` makes the tables, and `watching` tells how far it is. `simulation` tells what larger clusters do.
"""
