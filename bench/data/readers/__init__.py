"""One reader for each layout that a data set of photos comes in, registered by the layout's name."""

from unmask.bench.data.readers.base import Found, Place, Reader, Record

__all__ = ["Found", "Place", "Reader", "Record"]
