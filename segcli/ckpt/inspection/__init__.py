"""``segcli ckpt inspect``: what a checkpoint holds."""
