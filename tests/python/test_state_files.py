"""States of every method in files, and what of them is shared."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from minimisation import smoothed
from wavetree.inversion.node import StateRecord
from wavetree.inversion.state_files import StateFiles
from wavetree.optimize import LBFGS, Adam, Method, State, SteepestDescent, TrustRegion


def reread(root: Path, record: StateRecord) -> State:
    content = json.loads(json.dumps(dataclasses.asdict(record), allow_nan=False))
    again = StateRecord(content["point_file"], tuple(content["pair_files"]), content["scalars"])
    return StateFiles(root).load(again)


def same_bits(a: State, b: State) -> bool:
    (arrays, scalars), (arrays2, scalars2) = a.to_arrays(), b.to_arrays()
    equal = scalars == scalars2 and arrays.keys() == arrays2.keys()
    return equal and all(arrays[k].tobytes() == arrays2[k].tobytes() for k in arrays)


@pytest.mark.parametrize("method", [TrustRegion(), SteepestDescent(), LBFGS(), Adam()])
def test_states_survive_their_files(tmp_path: Path, method: Method) -> None:
    problem, x, _ = smoothed()
    files = StateFiles(tmp_path)
    state = method.begin(problem.point(x), problem.space)
    stored = files.save("0", state, None, None)
    for iteration in range(1, 5):
        step = method.propose(state, problem.space)
        rejected = method.reject(state, step, method.judge(state, step, np.nan))
        assert same_bits(rejected, reread(tmp_path, files.at_same_point(rejected, stored)))
        verdict = method.judge(state, step, problem.misfit(x + step.update))
        if not verdict.accepted:
            state = files.load(files.at_same_point(method.reject(state, step, verdict), stored))
            continue
        x = x + step.update
        following = method.accept(state, step, verdict, problem.point(x), problem.space)
        stored = files.save(f"{iteration}", following, state, stored)
        assert same_bits(following, reread(tmp_path, stored))
        state = files.load(stored)
    pairs = sorted(file.parent.name for file in tmp_path.rglob("pair.h5"))
    assert len(pairs) == len(stored.pair_files) == len(state.history)
    assert bool(pairs) == isinstance(method, TrustRegion | LBFGS)
    again = method.propose(reread(tmp_path, stored), problem.space)
    assert again.update.tobytes() == method.propose(state, problem.space).update.tobytes()
