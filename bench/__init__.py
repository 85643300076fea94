"""unmask: how well does a face anonymizer protect people, and what does it cost in usefulness?

This package is the harness. It imports no deep-learning library, so ``import bench`` and
``unmask --help`` stay quick; methods, metrics and instruments are loaded by name when a run needs them.
"""

__version__ = "0.1.0"
