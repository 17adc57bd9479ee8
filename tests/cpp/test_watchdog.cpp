// The energy of runs, and what is said of those that go wrong.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "media.hpp"
#include "reference.hpp"
#include "wavetree/core/errors.hpp"
#include "wavetree/solver/time_step.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

template <class Real>
void randomise(const Simulation<Real>& sim, typename Simulation<Real>::State& state, Random& random) {
    for (std::size_t m = 0; m < sim.n_media(); ++m) {
        const Medium<Real>& medium = sim.medium(m);
        for_dofs(medium, [&](Index place, Index i, int) {
            const auto u_and_w = random_values(2, random);
            if (!medium.free()[place]) return;
            state.fields[m].u[i] = static_cast<Real>(u_and_w[0]);
            state.fields[m].z[i] = static_cast<Real>(-state.schemes[m].dt * u_and_w[1] / state.schemes[m].b[place]);
        });
        medium.stiffness().spread(state.fields[m].u.data());
    }
}

// Energies of n_steps of a run that starts at random.
template <class Real>
std::vector<double> energies(const Tank& tank, double fraction, Index n_steps, Index source_end) {
    const auto sim = make_simulation<Real>(tank);
    auto state = sim.start(fraction * maximum_time_step(tank));
    Random random(61);
    randomise(sim, state, random);
    std::vector<double> energy(static_cast<std::size_t>(n_steps));
    Control control;
    Watch watch(control, nullptr);
    sim.forward(state, n_steps, {{}, {}, n_steps, source_end, {}, energy.data()}, watch);
    return energy;
}

constexpr Index never = 1'000'000'000;

// Message of the run that must fail, its step and place read back.
struct Failure {
    std::string text;
    double step = -1.0;
    std::vector<double> place;
};

template <class F>
Failure failure_of(F&& run) {
    Failure failure;
    try {
        run();
    } catch (const Unstable& error) {
        failure.text = error.what();
        const auto number = [&](std::size_t at) { return std::stod(failure.text.substr(at)); };
        failure.step = number(failure.text.find("time step ") + 10);
        const std::size_t begin = failure.text.find("at (") + 4;
        for (std::size_t at = begin; at < failure.text.find(')'); at = failure.text.find(", ", at) + 2) {
            failure.place.push_back(number(at));
            if (failure.text.find(", ", at) > failure.text.find(')')) break;
        }
    }
    return failure;
}

// The true limit, 2 / sqrt(λ_max), by power iteration; in the last medium, which decides.
double limit(const Simulation<double>& sim) {
    const Medium<double>& medium = sim.medium(sim.n_media() - 1);
    const EigenProblem problem =
        stiffness_problem(medium.stiffness(), {medium.mass(), medium.free(), medium.owned()}, nullptr);
    auto x = rough_field(medium.stiffness(), medium.free(), medium.coordinates(), nullptr);
    EigenProblem::Vector next(x.size()), weighted(x.size());
    double eigenvalue = 0.0;
    for (int i = 0; i < 10000; ++i) {
        problem.apply(x, next), problem.weigh(next, weighted);
        const double by_next = std::inner_product(next.begin(), next.end(), weighted.begin(), 0.0);
        eigenvalue = by_next / std::inner_product(x.begin(), x.end(), weighted.begin(), 0.0);
        for (std::size_t k = 0; k < x.size(); ++k) x[k] = next[k] / std::sqrt(by_next);
    }
    const double dt = 2.0 / std::sqrt(eigenvalue);
    REQUIRE(dt >= sim.maximum_time_step());
    REQUIRE(dt < 1.01 * sim.maximum_time_step());
    return dt;
}

}  // namespace

TEST_CASE("without damping the energy is constant") {
    auto tanks = all_tanks(4);
    tanks.emplace_back(std::vector{36, 30}, 2, std::vector<std::string>{"acoustic", "elastic"});  // several blocks
    for (Tank tank : tanks)
        for (bool held : {false, true}) {
            CAPTURE(describe(tank));
            CAPTURE(held);
            if (held)
                for (std::size_t m = 0; m < tank.physics.size(); ++m) tank.dirichlet[m] = {tank.outer()[m][0]};
            const auto energy = energies<double>(tank, 0.95, 500, 0);
            const auto [low, high] = std::minmax_element(energy.begin(), energy.end());
            CHECK(*low > 0.0);
            CHECK(*high - *low < 1e-12 * *high);
        }
}

TEST_CASE("damping takes energy away") {
    for (Tank tank : all_tanks(4)) {
        CAPTURE(describe(tank));
        tank.damp(0.3);
        const auto energy = energies<double>(tank, 0.95, 500, 0);
        CHECK(energy.front() > 0.0);
        CHECK(energy.back() < 0.05 * energy.front());
    }
}

TEST_CASE_TEMPLATE("a step above the bound is found by its energy, or at last by what is not finite", Real, float,
                   double) {
    for (const Tank& tank : all_tanks(4)) {
        CAPTURE(describe(tank));
        const auto by_energy = failure_of([&] { energies<Real>(tank, 1.05, 5000, 0); });
        const auto by_value = failure_of([&] { energies<Real>(tank, 1.05, 5000, never); });
        CAPTURE(by_energy.text);
        CHECK(by_energy.text.find("the energy of the wavefield has grown ") == 0);
        CHECK(by_value.text.find("the wavefield is no longer finite at time step ") == 0);
        CHECK(by_energy.step <= by_value.step);
        for (const Failure& failure : {by_energy, by_value}) {
            CAPTURE(failure.text);
            CHECK(failure.step >= 1);
            CHECK(failure.step < 5000);
            REQUIRE(failure.place.size() == static_cast<std::size_t>(tank.dim()));
            double nearest = 1e300;
            for (std::size_t i = 0; i < tank.owned.points.size(); i += tank.dim()) {
                double square = 0.0;
                for (int d = 0; d < tank.dim(); ++d) square += std::pow(tank.owned.points[i + d] - failure.place[d], 2);
                nearest = std::min(nearest, std::sqrt(square));
            }
            CHECK(nearest < 0.5);  // in the box
        }
    }
}

TEST_CASE("an instability that takes many looks to grow") {
    const Tank tank({2, 2}, 3, {"elastic"});
    const auto sim = make_simulation<double>(tank);
    // Energy grows by exp(2 sqrt(8 · 1e-5) · 64), 3 times, from one look to the next.
    const double fraction = (1.0 + 1e-5) * limit(sim) / sim.maximum_time_step();
    const auto failure = failure_of([&] { energies<double>(tank, fraction, 3000, 0); });
    CHECK(failure.text.find("the energy of the wavefield has grown ") == 0);
}

TEST_CASE_TEMPLATE("the place of an instability is found in the solid beside the large numbers of the fluid", Real,
                   float, double) {
    // Water on rock in metres, seconds and milligrams, where φ_t is some 10^8 times the velocity; one element far off
    // is too stiff.
    Tank tank({6, 3}, 4, {"acoustic", "elastic"});
    const Mesh mesh = tank.owned.view();
    const std::size_t nodes = n_local_nodes(tank.order, 2), n_f = tank.elements[0].size() * nodes;
    const std::size_t n_s = tank.elements[1].size() * nodes;
    for (std::size_t i = 0; i < n_f; ++i)
        tank.coefficients[0][i] = 1e-9 / (1500.0 * 1500.0), tank.coefficients[0][n_f + i] = 1e-9;
    for (std::size_t i = 0; i < n_s; ++i)
        tank.coefficients[1][i] = 2.5e9, tank.coefficients[1][n_s + i] = tank.coefficients[1][2 * n_s + i] = 1e16;
    std::size_t stiff = 0;
    const double centre[3] = {};
    const auto x = [&](std::size_t e) { return map_point(mesh, tank.elements[1][e], centre); };
    for (std::size_t e = 0; e < tank.elements[1].size(); ++e)
        if (x(e)[0] > x(stiff)[0]) stiff = e;
    for (std::size_t i = 0; i < nodes; ++i)
        for (int k : {1, 2}) tank.coefficients[1][k * n_s + stiff * nodes + i] *= 16.0;
    const double dt = limit(make_simulation<double>(tank));
    const auto sim = make_simulation<Real>(tank);
    Random random(81);
    const auto sources = random_rows(tank, 1, random, false);
    // So little too large that the waves in the water are there still when the energy tells; or overflowing.
    for (const auto& [factor, source_end] : {std::pair{1.0001, Index{400}}, std::pair{1.05, never}}) {
        Samples stf = pulses(sources, 5000, 0.003);  // in the water, for 400 steps
        std::fill(stf[1].begin(), stf[1].end(), 0.0);
        Shot<Real> shot(sim, sources, sources);
        shot.source_end = source_end;
        auto state = sim.start(factor * dt);
        const auto failure = failure_of([&] { shot.forward(state, 5000, stf); });
        CAPTURE(failure.text);
        REQUIRE(failure.place.size() == 2);
        CHECK(std::hypot(failure.place[0] - x(stiff)[0], failure.place[1] - x(stiff)[1]) < 1.0);
    }
}

TEST_CASE_TEMPLATE("long stable runs with absorbing sides and sponge go through", Real, float, double) {
    for (Tank tank : all_tanks(4))
        for (double rate : {0.0, 0.3})
            for (Index source_end : {0, 1000}) {  // with waves, and when they have long left
                CAPTURE(describe(tank));
                CAPTURE(rate);
                CAPTURE(source_end);
                tank.damp(rate);
                CHECK_NOTHROW(energies<Real>(tank, 0.99, 2000, source_end));
            }
}

TEST_CASE_TEMPLATE("a field that is released at rest does not look like growth", Real, float, double) {
    for (const Tank& tank : all_tanks(4)) {
        CAPTURE(describe(tank));
        const auto sim = make_simulation<Real>(tank);
        auto state = sim.start(0.9 * maximum_time_step(tank));
        for (std::size_t m = 0; m < sim.n_media(); ++m) {
            const auto x = sim.medium(m).coordinates();
            for_dofs(sim.medium(m), [&](Index place, Index i, int c) {
                state.fields[m].u[i] = static_cast<Real>(std::sin(2.0 * x[place * tank.dim()] + c));
            });
            sim.medium(m).stiffness().spread(state.fields[m].u.data());
        }
        Control control;
        Watch watch(control, nullptr);
        CHECK_NOTHROW(sim.forward(state, 2000, {{}, {}, 2000, 0, {}, nullptr}, watch));
    }
}

TEST_CASE_TEMPLATE("pulses with silence before, between and after go through", Real, float, double) {
    for (Tank tank : all_tanks(4))
        for (bool damped : {false, true}) {
            CAPTURE(describe(tank));
            CAPTURE(damped);
            if (damped) tank.damp(0.2);
            Random random(71);
            const auto sources = random_rows(tank, 1, random, true), receivers = random_rows(tank, 1, random, false);
            const auto sim = make_simulation<Real>(tank);
            const double dt = 0.9 * maximum_time_step(tank);
            auto state = sim.start(dt);
            Shot<Real> shot(sim, sources, receivers);
            shot.source_end = static_cast<Index>(1.8 / dt) + 1;
            CHECK_NOTHROW(shot.forward(state, 2000, pulses(sources, 2000, dt)));
        }
}
