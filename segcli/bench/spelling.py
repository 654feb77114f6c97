"""How faces read lists of names."""


def split_names(text: str) -> tuple[str, ...]:
    """Return the names between commas.

    Examples:
        >>> split_names("float32, bfloat16")
        ('float32', 'bfloat16')
    """
    return tuple(name.strip() for name in text.split(","))


def chosen_names(text: str) -> tuple[str, ...]:
    """Return the names between commas; none for ``all``.

    Examples:
        >>> chosen_names("all"), chosen_names("loss,conv")
        ((), ('loss', 'conv'))
    """
    return () if text == "all" else split_names(text)
