"""``segcli ckpt strip``: what a checkpoint is better without."""
