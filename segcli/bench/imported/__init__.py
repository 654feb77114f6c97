"""A user's own functions as a suite: what ``--import``, ``--setup`` and ``--reference`` name."""
