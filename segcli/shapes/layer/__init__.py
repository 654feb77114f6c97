"""The functions of ``torch.nn.functional`` and the layers of ``torch.nn``."""
