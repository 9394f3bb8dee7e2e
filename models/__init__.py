"""Networks. They import torch, einops and `models.blocks`, and nothing of the runtime."""
