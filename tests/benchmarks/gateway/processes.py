"""CPU seconds and memory of a process and of those that it started, by the kernel's own count."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Give the seconds of CPU that a process and its descendants have had."""
    table = _table()
    return sum(table[one][1] for one in _tree(pid, table))


def memory_mb(pid: int) -> list[float]:
    """Give the megabytes of a process and of each descendant that are its own, largest first."""
    sizes = []
    for one in _tree(pid, _table()):
        rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
        kept = [line.split() for line in rollup.splitlines() if line.startswith("Pss:")]
        sizes.append(int(kept[0][1]) / 1000 if kept else 0.0)
    return sorted(sizes, reverse=True)


def _table() -> dict[int, tuple[int, float]]:
    """Read every process's parent and CPU seconds."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            found[int(folder.name)] = (int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS)
    return found


def _tree(root: int, table: dict[int, tuple[int, float]]) -> list[int]:
    """List a process and its descendants."""
    found = [root] if root in table else []
    for one in found:
        found += [pid for pid, (parent, _) in table.items() if parent == one]
    return found
