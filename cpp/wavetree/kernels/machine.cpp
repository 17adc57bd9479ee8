#include "wavetree/kernels/machine.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "wavetree/core/errors.hpp"
#include "wavetree/kernels/isa.hpp"
#include "wavetree/kernels/parallel.hpp"

namespace wavetree {

// Defined by kernels/machine_loops.cpp, compiled once per instruction set.
namespace v4 {
const MachineLoops& machine_loops();
}
namespace v3 {
const MachineLoops& machine_loops();
}
namespace base {
const MachineLoops& machine_loops();
}

namespace {

// Long beside what it takes to start the threads and to read the clock.
constexpr double trial_seconds = 4e-3;

void check(const Measurement& how) {
    if (how.threads < 1) throw InputError("threads is " + std::to_string(how.threads) + "; expected at least 1");
    if (!(how.seconds > 0.0)) throw InputError("seconds is " + std::to_string(how.seconds) + "; expected more than 0");
}

template <class F>
double seconds_of(F&& f) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Least seconds that all threads take for work(thread, repeats), per repeat. The first trials find how many
// repeats make a trial long enough.
template <class F>
double seconds_per_repeat(const Measurement& how, F&& work) {
    Index repeats = 1;
    const auto trial = [&] {
        return seconds_of([&] { parallel_for(how.threads, how.threads, [&](Index t) { work(t, repeats); }); });
    };
    double best = trial(), spent = best;
    while (best * static_cast<double>(repeats) < trial_seconds) {
        repeats *= 2;
        const double taken = trial();
        spent += taken;
        best = std::min(best, taken / static_cast<double>(repeats));
    }
    while (spent < how.seconds) {
        const double taken = trial();
        spent += taken;
        best = std::min(best, taken / static_cast<double>(repeats));
    }
    return best;
}

// Arrays of n values each. Every thread touches its part first, so that it lies in the memory near to it.
class Arrays {
  public:
    Arrays(int count, int threads, Index n) : threads_(threads), n_(n) {
        for (int k = 0; k < count; ++k) arrays_.emplace_back(new float[static_cast<std::size_t>(n)]);
        parallel_for(threads, threads, [&](Index t) {
            for (auto& array : arrays_) std::fill(&array[begin(t)], &array[begin(t + 1)], 1.0f);
        });
    }
    float* part(int array, Index thread) { return &arrays_[static_cast<std::size_t>(array)][begin(thread)]; }
    Index size(Index thread) const { return begin(thread + 1) - begin(thread); }

  private:
    Index begin(Index thread) const { return n_ * thread / threads_; }
    int threads_;
    Index n_;
    std::vector<std::unique_ptr<float[]>> arrays_;
};

Index values_per_array(Index n_bytes, int n_arrays, int threads) {
    const Index n = n_bytes / (n_arrays * static_cast<Index>(sizeof(float))), least = 1024 * threads;
    if (n < least)
        throw InputError("n_bytes is " + std::to_string(n_bytes) + "; expected at least " +
                         std::to_string(least * n_arrays * static_cast<Index>(sizeof(float))));
    return n;
}

}  // namespace

const MachineLoops& machine_loops(const std::string& instruction_set) {
    const std::string name = kernel_set(instruction_set).name;
#if defined(WAVETREE_HAVE_V4)
    if (name == "v4") return v4::machine_loops();
#endif
#if defined(WAVETREE_HAVE_V3)
    if (name == "v3") return v3::machine_loops();
#endif
    return base::machine_loops();
}

double multiply_add_rate(const Measurement& how, bool single) {
    check(how);
    const MachineLoops& loops = machine_loops(how.instruction_set);
    constexpr Index n = 1000;
    std::vector<double> results(static_cast<std::size_t>(how.threads) * 8);  // a cache line apart
    const double seconds = seconds_per_repeat(how, [&](Index thread, Index repeats) {
        // x → b / (1 − a): neither zero, nor too small for a normal number, nor large.
        results[static_cast<std::size_t>(thread) * 8] = single ? loops.multiply_add_float(n * repeats, 0.5f, 0.5f)
                                                               : loops.multiply_add_double(n * repeats, 0.5, 0.5);
    });
    return static_cast<double>(n * how.threads) * (single ? loops.flops_float : loops.flops_double) / seconds;
}

double copy_rate(const Measurement& how, Index n_bytes) {
    check(how);
    const MachineLoops& loops = machine_loops(how.instruction_set);
    const Index n = values_per_array(n_bytes, 2, how.threads);
    Arrays arrays(2, how.threads, n);
    const double seconds = seconds_per_repeat(how, [&](Index t, Index repeats) {
        for (Index k = 0; k < repeats; ++k) loops.copy(arrays.part(0, t), arrays.part(1, t), 0.5f, arrays.size(t));
    });
    return static_cast<double>(2 * n) * sizeof(float) / seconds;
}

double triad_rate(const Measurement& how, Index n_bytes) {
    check(how);
    const MachineLoops& loops = machine_loops(how.instruction_set);
    const Index n = values_per_array(n_bytes, 3, how.threads);
    Arrays arrays(3, how.threads, n);
    const double seconds = seconds_per_repeat(how, [&](Index t, Index repeats) {
        for (Index k = 0; k < repeats; ++k)
            loops.triad(arrays.part(0, t), arrays.part(1, t), arrays.part(2, t), 0.5f, arrays.size(t));
    });
    return static_cast<double>(3 * n) * sizeof(float) / seconds;
}

}  // namespace wavetree
