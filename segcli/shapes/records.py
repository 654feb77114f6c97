"""Small classes of plain data: frozen for mypy, and quick to make.

Freezing costs a call a field when the program runs: a batch makes fifty records an expression and more, and would take
a tenth longer for it. What ``explain`` returns is handed out, and stays a frozen dataclass.
"""

from typing import TYPE_CHECKING

__all__ = ["record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    from collections.abc import Callable
    from dataclasses import dataclass

    # Under another name: two definitions of one name are more than the documentation's reader can follow.
    def _quick(*, frozen: bool, slots: bool) -> Callable[[type], type]:
        """Return the decorator of a dataclass that nothing writes to, and that is hashed as a frozen one."""
        return dataclass(slots=slots, unsafe_hash=frozen)

    record = _quick
