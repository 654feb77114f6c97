"""What whole networks hold and cost, counted on tensors that have shapes and no memory.

The modules that import torch are imported where a network is counted; `result` and `fields` are plain Python.
"""
