// Threads of a rank: the only place that names OpenMP.
#pragma once

#include <algorithm>

#include "wavetree/core/types.hpp"

namespace wavetree {

// f(i) for i in [0, n). No thread is woken for one: several runs may share the machine, one thread each.
template <class F>
void parallel_for(int threads, Index n, F&& f) {
    if (threads <= 1 || n <= 1) {
        for (Index i = 0; i < n; ++i) f(i);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (Index i = 0; i < n; ++i) f(i);
}

// f(begin, end) over chunks of [0, n); chunks depend on n alone, never on the number of threads.
template <class F>
void parallel_ranges(int threads, Index n, F&& f) {
    constexpr Index chunk = 8192;
    parallel_for(threads, (n + chunk - 1) / chunk, [&](Index i) { f(i * chunk, std::min(n, (i + 1) * chunk)); });
}

}  // namespace wavetree
