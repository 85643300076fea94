"""Calls blurthefaces, which is a library without a command, for each picture: ``each.py INPUT OUTPUT DEPTH``.

It answers with a text where it finds no face; there is then no output.
"""

import sys
from importlib import import_module
from pathlib import Path

import cv2


def main() -> int:
    source, target, depth = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    blur_faces = import_module("blurthefaces").blur_faces
    for path in sorted(source.iterdir()):
        answer = blur_faces(cv2.imread(str(path)), depth)
        if isinstance(answer, str):
            print(f"{path.name}: {answer}")
        else:
            cv2.imwrite(str(target / path.name), answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
