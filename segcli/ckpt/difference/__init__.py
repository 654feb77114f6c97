"""``segcli ckpt diff``: what differs between two checkpoints."""
