"""segcli: a toolbox for people who train segmentation networks in PyTorch."""

__version__ = "0.1.0"
