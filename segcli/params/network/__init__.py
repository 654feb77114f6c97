"""``segcli params net``, ``module`` and ``file``: whole networks, and what checkpoints hold of them."""
