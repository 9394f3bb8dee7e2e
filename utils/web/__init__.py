"""`dsu serve` and `dsu studio`: the worker `dsu` behind HTTP, for programs elsewhere and for the page in a browser.

Nothing here imports torch or numpy: songs are probed, drawn and exported by child processes, and separated by the worker.
"""
