"""Clips read and written frame by frame, in constant memory."""

from unmask.bench.data.media.reader import VideoReader
from unmask.bench.data.media.writer import Quality, VideoWriter, parse_quality

__all__ = ["Quality", "VideoReader", "VideoWriter", "parse_quality"]
