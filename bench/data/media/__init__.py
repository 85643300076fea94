"""Clips read and written frame by frame, in constant memory."""

from unmask.bench.data.media.reader import VideoReader
from unmask.bench.data.media.writer import VideoWriter

__all__ = ["VideoReader", "VideoWriter"]
