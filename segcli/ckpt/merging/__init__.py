"""``segcli ckpt merge``: several checkpoints made one, as their average or by joining their keys."""
