"""The storages that a checkpoint holds: what is said of each, and where its bytes are."""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from segcli.formats.byte_source import ByteSource
from segcli.formats.payload import Stretch
from segcli.formats.zip_directory import Record, Records


@dataclass(frozen=True, slots=True)
class StoredStorage:
    """A storage that a checkpoint names.

    Attributes:
        key: Its name in the checkpoint.
        dtype: Torch's name of its elements' dtype; ``uint8`` where only bytes are counted.
        location: The device tag.
        bytes: What its elements take.
        data: Where they are; at least ``bytes`` long.
    """

    key: str
    dtype: str
    location: str
    bytes: int
    data: Stretch

    @property
    def elements(self) -> Stretch:
        """The bytes of its elements, of which its record may have more."""
        data = self.data
        return data if data.size == self.bytes else Stretch(data.source, data.start, self.bytes)


class ZipStorages(Mapping[str, StoredStorage]):
    """The storages of a zip checkpoint by key, in the order in which its pickle names them.

    Each is made when it is asked for: a checkpoint of many tensors has as many of them.
    """

    def __init__(self, source: ByteSource, records: Records, folder: str) -> None:
        """Start without any.

        Args:
            source: The file.
            records: Its records.
            folder: What stands before the keys in the records' names.
        """
        self._source = source
        self._records = records
        self._folder = folder
        # One number for each record: which storage it is, counted from 1, or 0.
        self._numbers = array("I", bytes(len(records) * array("I").itemsize))
        self._places = array("I")
        self._sizes = array("Q")
        self._kinds = array("I")
        # Few dtypes and tags in few pairs.
        self._known: dict[tuple[str, str], int] = {}

    def add(self, place: int, dtype: str, location: str, size: int) -> int:
        """Take in the storage whose record is at a place, if it is new; return the bytes of what is known of it."""
        if not self._numbers[place]:
            self._places.append(place)
            self._sizes.append(size)
            self._kinds.append(self._known.setdefault((dtype, location), len(self._known)))
            self._numbers[place] = len(self._places)
        return self._sizes[self._numbers[place] - 1]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        """Yield the keys."""
        return (self._records.name(place).removeprefix(self._folder) for place in self._places)

    def __getitem__(self, key: str) -> StoredStorage:
        """Return one."""
        return self._stored(self._number(key))

    def record(self, key: str) -> Record:
        """Return the record of one."""
        return self._records[self._places[self._number(key)]]

    def _number(self, key: str) -> int:
        place = self._records.find(self._folder + key)
        if place is None or not self._numbers[place]:
            raise KeyError(key)
        return self._numbers[place] - 1

    def _stored(self, number: int) -> StoredStorage:
        record = self._records[self._places[number]]
        dtype, location = list(self._known)[self._kinds[number]]
        data = Stretch(self._source, record.start, record.size, record.crc)
        key = record.name.removeprefix(self._folder)
        return StoredStorage(key, dtype, location, self._sizes[number], data)
