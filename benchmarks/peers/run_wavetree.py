"""The event with wavetree, as `time_to_accuracy` runs it."""

from __future__ import annotations

import json
from dataclasses import asdict

from common import CASES, Outcome, read_options
from time_to_accuracy import Settings, fastest, timed


def main() -> None:
    options = read_options()
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
