#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>

#include "media.hpp"
#include "reference.hpp"
#include "wavetree/core/errors.hpp"

using namespace wavetree;
using namespace wavetree::tests;
using std::numbers::pi;

namespace {

// Damped all around, one side of the last medium held.
void enclose(Tank& tank) {
    tank.damp(0.3);
    tank.dirichlet.back() = {tank.absorbing.back().back()};
    tank.absorbing.back().pop_back();
}

bool same_bits(const Samples& a, const Samples& b) {
    bool same = a.size() == b.size();
    for (std::size_t m = 0; same && m < a.size(); ++m)
        same = a[m].size() == b[m].size() && std::memcmp(a[m].data(), b[m].data(), a[m].size() * sizeof(double)) == 0;
    return same;
}

// Memory for all steps of the field.
struct FullStore {
    FullStore(Index n_steps, Index n_values)
        : snapshots(static_cast<std::size_t>(n_steps * n_values)),
          view{std::vector<Index>(n_steps), std::vector<double>(n_steps, 1.0), snapshots.data(), n_values} {
        std::iota(view.steps.begin(), view.steps.end(), Index{1});
    }
    std::vector<double> snapshots;
    WavefieldStore<double> view;
};

// Misfit ½ Σ u² of the records, and its gradient if asked.
double misfit(const Tank& tank, const std::vector<Rows>& sources, const std::vector<Rows>& receivers, double dt,
              Samples* gradient = nullptr) {
    const Index n_steps = 120;
    const auto sim = make_simulation<double>(tank);
    FullStore store(gradient ? n_steps : 0, sim.n_values());
    const Shot<double> shot(sim, sources, receivers);
    auto state = sim.start(dt);
    const auto records = shot.forward(state, n_steps, pulses(sources, n_steps, dt), gradient ? &store.view : nullptr);
    if (gradient) {
        auto adjoint = sim.start_adjoint(dt, n_steps);
        shot.adjoint(adjoint, dt, records, &store.view);
        for (std::size_t m = 0; m < sim.n_media(); ++m) {
            gradient->emplace_back(tank.coefficients[m].size());
            sim.medium(m).gradient(adjoint.sums[m], adjoint.schemes[m], 0, gradient->back().data());
        }
    }
    return 0.5 * dot(records, records);
}

}  // namespace

TEST_CASE("the adjoint run is the transpose of the run from sources to records") {
    for (Tank tank : all_tanks(4)) {
        CAPTURE(describe(tank));
        enclose(tank);
        Random random(9);
        const auto sim = make_simulation<double>(tank);
        const double dt = 0.95 * sim.maximum_time_step();
        const Index n_steps = 200;
        const auto sources = random_rows(tank, 3, random, true), receivers = random_rows(tank, 6, random, true);
        const Shot<double> shot(sim, sources, receivers);
        const auto stf = random_samples(sources, n_steps, random);
        const auto weights = random_samples(receivers, n_steps, random);
        auto state = sim.start(dt);
        const auto records = shot.forward(state, n_steps, stf);
        auto adjoint = sim.start_adjoint(dt, n_steps);
        const auto at_sources = shot.adjoint(adjoint, dt, weights);
        double back = 0.0;
        for (std::size_t m = 0; m < sim.n_media(); ++m)
            for (Index row = 0; row < 3; ++row)
                for (Index n = 0; n < n_steps; ++n)
                    back += stf[m][row * n_steps + n] * at_sources[m][row * (n_steps + 1) + n];
        const double scale = std::sqrt(dot(records, records) * dot(weights, weights));
        CHECK(std::abs(dot(records, weights)) > 1e-4 * scale);
        CHECK(std::abs(dot(records, weights) - back) < 1e-12 * scale);
    }
}

TEST_CASE("waves of one medium reach the other") {
    for (Tank tank : all_tanks(4)) {
        if (tank.physics.size() < 2) continue;
        CAPTURE(describe(tank));
        Random random(10);
        const auto sim = make_simulation<double>(tank);
        const double dt = 0.9 * sim.maximum_time_step();
        const auto sources = random_rows(tank, 1, random, false), receivers = random_rows(tank, 1, random, false);
        const Shot<double> shot(sim, sources, receivers);
        for (std::size_t m : {0, 1}) {
            auto stf = pulses(sources, 100, dt);
            std::fill(stf[m].begin(), stf[m].end(), 0.0);
            auto state = sim.start(dt);
            const auto records = shot.forward(state, 100, stf);
            double heard = 0.0;
            for (double value : records[m]) heard = std::max(heard, std::abs(value));
            CHECK(heard > 1e-4);
        }
    }
}

TEST_CASE("the adjoint run gives the derivative of the misfit") {
    auto tanks = all_tanks(3);
    tanks.emplace_back(std::vector{36, 30}, 2, std::vector<std::string>{"acoustic", "elastic"});  // several blocks
    for (Tank tank : tanks) {
        CAPTURE(describe(tank));
        enclose(tank);
        Random random(21);
        const double dt = 0.5 * maximum_time_step(tank);
        const auto sources = random_rows(tank, 6, random, false), receivers = random_rows(tank, 6, random, true);
        Samples gradient;
        misfit(tank, sources, receivers, dt, &gradient);
        for (std::size_t m = 0; m < tank.physics.size(); ++m) {
            CAPTURE(m);
            const auto coefficients = tank.coefficients[m];
            const auto direction = random_values(static_cast<Index>(coefficients.size()), random, -0.1, 0.1);
            constexpr double h = 1e-4;
            double expected = 0.0;
            for (double sign : {1.0, -1.0}) {
                for (std::size_t i = 0; i < coefficients.size(); ++i)
                    tank.coefficients[m][i] = coefficients[i] + sign * h * direction[i];
                expected += sign * misfit(tank, sources, receivers, dt) / (2.0 * h);
            }
            tank.coefficients[m] = coefficients;
            double found = 0.0;
            for (std::size_t i = 0; i < direction.size(); ++i) found += gradient[m][i] * direction[i];
            CHECK(std::abs(expected) > 1e-8);
            CHECK(std::abs(found - expected) < 1e-6 * std::abs(expected));
        }
    }
}

TEST_CASE_TEMPLATE("records have the same bits for every number of threads", Real, float, double) {
    for (const auto& n : {std::vector{36, 30}, std::vector{16, 8, 8}}) {  // several blocks of either medium
        Tank tank(n, 2, {"acoustic", "elastic"});
        CAPTURE(describe(tank));
        enclose(tank);
        Random random(31);
        const double dt = 0.9 * maximum_time_step(tank);
        const auto sources = random_rows(tank, 2, random, false), receivers = random_rows(tank, 6, random, true);
        Samples one;
        for (int threads : {1, 2, 3}) {
            const auto sim = make_simulation<Real>(tank, threads);
            const Shot<Real> shot(sim, sources, receivers);
            auto state = sim.start(dt);
            const auto records = shot.forward(state, 60, pulses(sources, 60, dt));
            if (threads == 1) one = records;
            CHECK(dot(records, records) > 0.0);
            CHECK(same_bits(records, one));
        }
    }
}

TEST_CASE_TEMPLATE("a copied state goes on with the same bits", Real, float, double) {
    for (Tank tank : all_tanks(4)) {
        CAPTURE(describe(tank));
        enclose(tank);
        Random random(41);
        const double dt = 0.9 * maximum_time_step(tank);
        const Index n_steps = 120, middle = 50;
        const auto sources = random_rows(tank, 2, random, true), receivers = random_rows(tank, 6, random, true);
        const auto stf = random_samples(sources, n_steps, random);
        const auto sim = make_simulation<Real>(tank);
        const Shot<Real> shot(sim, sources, receivers);
        auto state = sim.start(dt);
        const auto whole = shot.forward(state, n_steps, stf);
        Samples first;
        auto checkpoint = sim.start(dt);
        shot.advance(checkpoint, middle, n_steps, stf, first);
        for (int repeat = 0; repeat < 2; ++repeat) {
            auto copy = checkpoint;
            auto records = first;
            shot.advance(copy, n_steps, n_steps, stf, records);
            CHECK(same_bits(records, whole));
            for (std::size_t m = 0; m < sim.n_media(); ++m) {
                CHECK(copy.fields[m].u == state.fields[m].u);
                CHECK(copy.fields[m].z == state.fields[m].z);
            }
        }
    }
}

TEST_CASE("single precision follows double precision") {
    for (Tank tank : all_tanks(4)) {
        CAPTURE(describe(tank));
        enclose(tank);
        Random random(51);
        const double dt = 0.9 * maximum_time_step(tank);
        const auto sources = random_rows(tank, 2, random, true), receivers = random_rows(tank, 6, random, true);
        const auto stf = pulses(sources, 150, dt);
        const auto run = [&]<class Real>(Real) {
            const auto sim = make_simulation<Real>(tank);
            auto state = sim.start(dt);
            return Shot<Real>(sim, sources, receivers).forward(state, 150, stf);
        };
        const auto exact = run(0.0);
        auto apart = run(0.0f);
        for (std::size_t m = 0; m < exact.size(); ++m)
            for (std::size_t i = 0; i < exact[m].size(); ++i) apart[m][i] -= exact[m][i];
        CHECK(dot(apart, apart) < 1e-10 * dot(exact, exact));
    }
}

TEST_CASE("a cancelled run stops") {
    const Tank tank({24, 20}, 4, {"acoustic", "elastic"});
    const auto sim = make_simulation<float>(tank);
    const std::vector<Rows> none(2);
    Shot<float> shot(sim, none, none);
    shot.control.cancel();
    auto state = sim.start(1e-4);
    CHECK_THROWS_AS(shot.forward(state, 10'000'000, Samples(2)), Cancelled);
    CHECK(shot.control.progress() < 1.0);
}

TEST_CASE("media in another order or number are refused") {
    for (const std::vector<std::string>& names :
         std::vector<std::vector<std::string>>{{"elastic", "acoustic"}, {"acoustic", "acoustic"}}) {
        const Tank tank({4, 3}, 2, names);
        CHECK_THROWS_WITH_AS(make_simulation<double>(tank), "expected one medium, or a fluid and a solid in this order",
                             InputError);
    }
    CHECK_THROWS_AS(Simulation<double>(Tank({4, 3}, 2, {"acoustic"}).mesh(), {}), InputError);
}
