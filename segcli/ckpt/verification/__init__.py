"""``segcli ckpt verify``: whether a checkpoint is whole, and safe to load."""
