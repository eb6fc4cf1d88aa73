"""Facts about the machine and the versions, for the head of a report."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import proxstep as ps

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def cpu_count() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    fields = {}
    if info.exists():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        fields = {key.strip(): value.strip() for key, _, value in lines}
    model = fields.get("model name") or platform.processor() or platform.machine()
    if "cpu family" not in fields:
        return model
    return f"{model} (family {fields['cpu family']}, model {fields['model']})"


def cache_sizes() -> dict[str, str]:
    """Size of each cache as processor 0 sees it."""
    sizes = {}
    for index in sorted(CACHES.glob("index*")):
        level, kind, size = (
            (index / name).read_text().strip() for name in ("level", "type", "size")
        )
        sizes["L" + level + {"Data": "d", "Instruction": "i"}.get(kind, "")] = size
    return sizes


def memory_gib() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def huge_pages() -> str:
    """Which of the kernel's settings of transparent huge pages is chosen."""
    text = HUGE_PAGES.read_text() if HUGE_PAGES.exists() else ""
    return text.partition("[")[2].partition("]")[0] or "unknown"


def facts() -> dict[str, Any]:
    """Everything that a figure depends on, as a dict that JSON takes."""
    config = ps.get_config()
    return {
        "cpu": cpu_model(),
        "cores": cpu_count(),
        "caches": cache_sizes(),
        "memory_gib": memory_gib(),
        "huge_pages": huge_pages(),
        "system": platform.system() + " " + platform.release(),
        "load_average": os.getloadavg()[0],
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {name: config[name] for name in ("proxstep", "python", "numpy", "torch")},
        "instruction_set": config["instruction_set"],
    }


def device_facts(device: str) -> dict[str, Any]:
    """What the figures depend on besides the host."""
    import torch

    if device == "cpu":
        return {"device": "none: the report was only tried", "cuda": torch.version.cuda}
    properties = torch.cuda.get_device_properties(0)
    return {
        "device": properties.name,
        "device_memory_gib": round(properties.total_memory / 2**30, 1),
        "multiprocessors": properties.multi_processor_count,
        "cuda": torch.version.cuda,
        "served_by": ps.cuda.serving(),
    }
