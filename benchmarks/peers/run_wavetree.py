"""The event with wavetree, as `time_to_accuracy` runs it."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from common import CASES, Outcome
from time_to_accuracy import Settings, fastest, timed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", choices=CASES, default="ring")
    parser.add_argument("--tolerance", type=float, default=1e-2)
    parser.add_argument("--settings", type=json.loads)
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    event = CASES[options.case]()
    if options.settings:
        settings = Settings(**options.settings)
    else:
        settings = fastest(event, options.tolerance)[0].settings
    found = timed(event, settings, options.repeats)
    outcome = Outcome(asdict(settings), found.error, found.points, found.steps, found.setup, found.event)
    print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    main()
