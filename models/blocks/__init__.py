"""Small parts that several networks share. They import torch and numpy, and nothing from `utils`."""
