"""How fast time steps are, beside what the machine can do at most."""

from wavetree.benchmark.cases import CASES, MESHES, VARIANTS, Case, find_cases
from wavetree.benchmark.run import RanksRun, Settings, TimedRun, run_benchmark
from wavetree.benchmark.speeds import measure_speeds
from wavetree.benchmark.table import Figure, Report

__all__ = [
    "CASES",
    "MESHES",
    "VARIANTS",
    "Case",
    "Figure",
    "RanksRun",
    "Report",
    "Settings",
    "TimedRun",
    "find_cases",
    "measure_speeds",
    "run_benchmark",
]
