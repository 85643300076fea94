"""What tutorials on blurring faces with OpenCV do: ``blur.py INPUT OUTPUT KERNEL``."""

import sys
from pathlib import Path

import cv2


def main() -> int:
    source, target, kernel = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) | 1
    cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"))
    for path in sorted(source.iterdir()):
        image = cv2.imread(str(path))
        assert image is not None, f"{path.name} is no picture"
        for x, y, w, h in cascade.detectMultiScale(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 1.1, 5):
            image[y : y + h, x : x + w] = cv2.GaussianBlur(image[y : y + h, x : x + w], (kernel, kernel), 0)
        cv2.imwrite(str(target / path.name), image)
    return 0


if __name__ == "__main__":
    sys.exit(main())
