"""``segcli ckpt convert``: a checkpoint moved to another device or into another format."""
