"""The networks, and the table of them. They import torch, einops and `models.blocks`, and nothing from `utils`."""
