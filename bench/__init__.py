"""The harness of `unmask`.

It imports no deep-learning library, so ``import unmask.bench`` and ``unmask --help`` stay quick; methods, metrics and
instruments are loaded by name when a run needs them.
"""
