"""The losses: one a file, its functional form and its ``nn.Module``, over the shared ``inputs`` and ``sums``."""
