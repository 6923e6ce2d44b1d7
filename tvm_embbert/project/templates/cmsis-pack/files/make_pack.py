"""Packs what the description names into VENDOR.NAME.VERSION.pack, a zip; the same each time."""

import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent

BUILT = {"out", "tmp", "RTE"}
"""Folders of the example that are made by building it."""


def named_files(package: ElementTree.Element) -> set[str]:
    """Return the paths of all files that a description names, and of its examples."""
    names = {element.attrib["name"] for element in package.iter("file")}
    names |= {element.text for element in package.iter("license") if element.text}
    for example in package.iter("example"):
        names |= example_files(ROOT / example.attrib["folder"])
    return names


def example_files(folder: Path) -> set[str]:
    """Return the paths of an example's own files."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(ROOT).as_posix()
        for path in paths
        if not BUILT & set(path.relative_to(folder).parts) and ".cbuild" not in path.name
    }


def main() -> None:
    """Write the pack beside this file."""
    description = next(ROOT.glob("*.pdsc"))
    package = ElementTree.parse(description).getroot()
    version = next(package.iter("release")).attrib["version"]
    pack = ROOT / f"{description.stem}.{version}.pack"
    temporary = pack.with_suffix(".tmp")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted({description.name, "README.md"} | named_files(package)):
            entry = zipfile.ZipInfo(name)  # dated 1980
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, (ROOT / name).read_bytes())
    temporary.replace(pack)
    print(pack.name)


if __name__ == "__main__":
    main()
