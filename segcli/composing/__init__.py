"""Option defaults composed by Hydra from a tree of YAML files: ``--config-dir``, ``--config-name`` and ``-O``."""
