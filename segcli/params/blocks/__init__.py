"""Every variant of a layer as plain data, one family a file; no counting happens here."""
