"""Small parts that several networks share. They import torch and numpy, and nothing of the runtime."""
