#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "wavetree/core/errors.hpp"
#include "wavetree/kernels/isa.hpp"
#include "wavetree/kernels/machine.hpp"

using namespace wavetree;

TEST_CASE("the loops do what is counted") {
    for (const KernelSet* set : usable_kernel_sets()) {
        CAPTURE(set->name);
        const MachineLoops& loops = machine_loops(set->name);
        // One multiply-add of every value i of every lane, 12 vectors: Σ (i / 2 + 1) over 12 chains is 45.
        const int lanes = loops.flops_float / 24;
        CHECK(loops.flops_float == 24 * lanes);
        CHECK(loops.flops_double == loops.flops_float / 2);
        CHECK(loops.multiply_add_float(1, 0.5f, 1.0f) == 45.0f * static_cast<float>(lanes));
        CHECK(loops.multiply_add_double(1, 0.5, 1.0) == 45.0 * lanes / 2);
        CHECK(loops.multiply_add_double(2, 0.5, 1.0) == (66.0 / 4 + 12 * 1.5) * lanes / 2);
        const std::vector<float> a{1, 2, 3, 4, 5}, b{10, 20, 30, 40, 50};
        std::vector<float> to(5, -1.0f);
        loops.copy(a.data(), to.data(), 2.0f, 4);
        CHECK(to == std::vector<float>{2, 4, 6, 8, -1});
        loops.triad(a.data(), b.data(), to.data(), 0.5f, 4);
        CHECK(to == std::vector<float>{6, 12, 18, 24, -1});
    }
}

TEST_CASE("rates of the machine are those of one") {
    for (const KernelSet* set : usable_kernel_sets()) {
        CAPTURE(set->name);
        const Measurement how{set->name, 1, 0.02};
        // No processor of today does less than one a nanosecond, nor more than a thousand.
        for (bool single : {true, false}) {
            const double rate = multiply_add_rate(how, single);
            CHECK(rate > 1e9);
            CHECK(rate < 1e12);
        }
        for (double rate : {copy_rate(how, 1 << 18), triad_rate(how, 1 << 18)}) {
            CHECK(rate > 1e9);
            CHECK(rate < 2e12);
        }
    }
}

TEST_CASE("measurements that make no sense are refused") {
    CHECK_THROWS_WITH_AS(multiply_add_rate({"", 0, 0.01}, true), "threads is 0; expected at least 1", InputError);
    CHECK_THROWS_WITH_AS(copy_rate({"", 1, 0.01}, 100), "n_bytes is 100; expected at least 8192", InputError);
    CHECK_THROWS_AS(triad_rate({"", 1, 0.0}, 1 << 20), InputError);
    CHECK_THROWS_AS(multiply_add_rate({"sse9", 1, 0.01}, true), InputError);
}
