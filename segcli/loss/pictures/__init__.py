"""What an evaluation shows besides tables: on the terminal, in PNGs, in charts, in TensorBoard."""
