"""Write the lists of pictures and labels that MMPreTrain reads: `annotations.txt` in every folder given."""

import re
import sys
from pathlib import Path


def main(folders: list[str]) -> None:
    """List the pictures of rendered sets, relative to their folder, with the class id of the folder name."""
    for folder in map(Path, folders):
        lines = []
        for picture in folder.rglob("*.png"):
            label = re.match(r"(\d+)_", picture.parent.name)
            if label and "Masks" not in picture.parts:
                lines.append((int(label[1]), picture.relative_to(folder).as_posix()))
        if not lines:
            sys.exit(f"{folder}: expected folders <id>_<name> with pictures, found none")
        text = "".join(f"{path} {label}\n" for label, path in sorted(lines))
        (folder / "annotations.txt").write_text(text)
        print(f"{folder}: {len(lines)} pictures")


if __name__ == "__main__":
    main(sys.argv[1:])
