"""`unmask data build`: photos of data sets -> labelled face crops to train on, and a balanced test set (thesis 3.2).

label (photo by photo, resumable) -> choose (limits for each group) -> write (shards, images, tables, card).
"""

from unmask.bench.study.training_set.build import build, group_table
from unmask.bench.study.training_set.settings import BuildSettings, Source, parse_source

__all__ = ["BuildSettings", "Source", "build", "group_table", "parse_source"]
