"""Runs a tool that writes its outputs beside its inputs, or into the working folder, over a copy of the input folder.

``in_a_copy.py INPUT OUTPUT COMMAND [WORD ...]``, started in an empty folder: the copy is the folder ``pictures`` there.
Every file that is new after the command goes to OUTPUT; what the tool left as it was never does, so that no original
passes for an output. Ends with the command's exit code.
"""

import shutil
import subprocess
import sys
from pathlib import Path


def main() -> int:
    source, target, *command = sys.argv[1:]
    here = Path.cwd()
    shutil.copytree(source, here / "pictures")
    before = set(here.rglob("*"))
    code = subprocess.run(command, check=False).returncode
    for path in sorted(here.rglob("*")):
        to = Path(target, path.name)
        if path in before or not path.is_file():
            continue
        if to.exists():
            print(f"two outputs are called {path.name}; the second is left out")
        else:
            shutil.move(path, to)
    return code


if __name__ == "__main__":
    sys.exit(main())
