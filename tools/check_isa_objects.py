"""Check the objects that are compiled once per instruction set: they may export their tables only.

Anything else with external linkage (an inline function, a piece of the standard library) could be
merged by the linker with the copy of another object, and then crash an older processor.

usage: python tools/check_isa_objects.py BUILD_DIR
"""

import subprocess
import sys
from pathlib import Path

ALLOWED_PREFIX = "proxstep::cpu::table_"


def exported_symbols(obj: Path) -> list[str]:
    """Names that ``obj`` defines with external linkage, weak ones included."""
    command = ["nm", "--demangle", "--extern-only", "--defined-only", str(obj)]
    listing = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    return [line.split(maxsplit=2)[2] for line in listing.splitlines() if line.strip()]


def main(build_dir: Path) -> int:
    """Print every symbol that must not be there; 1 if there is one, or no object at all."""
    objects = sorted(build_dir.rglob("*_isa.cpp.o"))
    bad = 0
    for obj in objects:
        for symbol in exported_symbols(obj):
            if not symbol.startswith(ALLOWED_PREFIX):
                bad += 1
                print(f"{obj.relative_to(build_dir)}: {symbol}")
    print(f"{len(objects)} instruction-set objects, {bad} symbols that must not be exported")
    return 1 if bad or not objects else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
