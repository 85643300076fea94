"""Clips read and written frame by frame, in constant memory."""

from unmask.bench.data.media.quality import Quality, parse_quality
from unmask.bench.data.media.reader import VideoReader
from unmask.bench.data.media.writer import VideoWriter

__all__ = ["Quality", "VideoReader", "VideoWriter", "parse_quality"]
