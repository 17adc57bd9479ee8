#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <numbers>
#include <string>

#include "meshes.hpp"
#include "reference.hpp"
#include "wavetree/core/errors.hpp"
#include "wavetree/physics/acoustic.hpp"
#include "wavetree/solver/simulation.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

// Water-like fluid in a bent box, absorbing all around.
struct Tank {
    explicit Tank(std::vector<int> n, int polynomial_order = 4) : owned(grid(n, 2)), order(polynomial_order) {
        Random random(77);
        bend(owned);
        reorient(owned, random);
        parameters = random_values(2 * owned.view().n_elements * n_local_nodes(order, 2), random, 0.9, 1.1);
    }

    SimulationSetup setup(int threads = 1) const {
        SimulationSetup result;
        result.mesh = owned.view(), result.order = order, result.parameters = parameters.data();
        result.absorbing = boundary_sides(owned.view());
        result.threads = threads;
        return result;
    }

    OwnedMesh owned;
    int order;
    std::vector<double> parameters;  // VP, RHO
};

template <class Real>
std::vector<double> record(const Simulation<Acoustic, 2, Real>& sim, const TimeLoop& time, const double* source,
                           const double* receiver, Control& control, const WavefieldStore<Real>* store = nullptr) {
    const auto sources = sim.points(source, 1), receivers = sim.points(receiver, 1);
    std::vector<double> stf(static_cast<std::size_t>(time.n_steps)), records(stf.size() + 1);
    for (std::size_t i = 0; i < stf.size(); ++i)
        stf[i] = std::exp(-std::pow((static_cast<double>(i) * time.dt - 0.6) / 0.2, 2));
    typename Simulation<Acoustic, 2, Real>::Forward run{};
    run.sources = &sources, run.receivers = &receivers;
    run.source_time_functions = stf.data(), run.records = records.data(), run.store = store;
    Watch watch(control, nullptr);
    sim.forward(time, run, watch);
    return records;
}

constexpr double here[] = {1.3, 1.1}, there[] = {2.6, 1.7};

}  // namespace

TEST_CASE("source and receiver may change places") {
    const Tank tank({4, 3});
    const Simulation<Acoustic, 2, double> sim(tank.setup());
    const TimeLoop time{0.9 * sim.maximum_time_step(), 300};
    Control control;
    const auto forth = record(sim, time, here, there, control), back = record(sim, time, there, here, control);
    double error = 0.0, scale = 0.0;
    for (std::size_t i = 0; i < forth.size(); ++i)
        error = std::max(error, std::abs(forth[i] - back[i])), scale = std::max(scale, std::abs(forth[i]));
    CHECK(scale > 1e-3);
    CHECK(error < 1e-13 * scale);
}

TEST_CASE_TEMPLATE("records have the same bits for every number of threads", Real, float, double) {
    const Tank tank({24, 20}, 3);
    const TimeLoop time{0.9 * Simulation<Acoustic, 2, double>(tank.setup()).maximum_time_step(), 60};
    Control control;
    const auto one = record(Simulation<Acoustic, 2, Real>(tank.setup(1)), time, here, there, control);
    CHECK(one.back() != 0.0);
    for (int threads : {2, 3}) {
        const auto many = record(Simulation<Acoustic, 2, Real>(tank.setup(threads)), time, here, there, control);
        CHECK(std::memcmp(one.data(), many.data(), one.size() * sizeof(double)) == 0);
    }
}

TEST_CASE("the step at the bound is stable, one above it is not and says so") {
    const Tank tank({4, 3});
    const Simulation<Acoustic, 2, double> sim(tank.setup());
    Control control;
    const auto stable = record(sim, {0.999 * sim.maximum_time_step(), 3000}, here, there, control);
    CHECK(std::abs(stable.back()) < 1.0);
    try {
        record(sim, {1.05 * sim.maximum_time_step(), 30000}, here, there, control);
        FAIL("an unstable run went through");
    } catch (const Unstable& error) {
        CHECK(std::string(error.what()).find("no longer finite at time step") != std::string::npos);
    }
}

TEST_CASE("the adjoint run gives the derivative of the misfit") {
    Tank tank({3, 3}, 3);
    Random random(21);
    const TimeLoop time{0.5 * Simulation<Acoustic, 2, double>(tank.setup()).maximum_time_step(), 250};
    Control control;
    const auto misfit = [&] {
        double sum = 0.0;
        for (double u : record(Simulation<Acoustic, 2, double>(tank.setup()), time, here, there, control))
            sum += 0.5 * time.dt * u * u;
        return sum;
    };
    const Simulation<Acoustic, 2, double> sim(tank.setup());
    std::vector<double> snapshots(static_cast<std::size_t>(time.n_steps * sim.n_dofs()));
    WavefieldStore<double> store{{}, std::vector<double>(time.n_steps, 1.0), snapshots.data(), sim.n_dofs()};
    for (Index k = 1; k <= time.n_steps; ++k) store.steps.push_back(k);
    const auto records = record(sim, time, here, there, control, &store);
    const auto receivers = sim.points(there, 1);
    std::vector<double> gradient(tank.parameters.size());
    Watch watch(control, nullptr);
    sim.adjoint(time, {&receivers, records.data(), &store, gradient.data()}, watch);  // f† = u

    const auto parameters = tank.parameters, direction = random_values(parameters.size(), random);
    constexpr double h = 1e-5;
    double expected = 0.0, found = 0.0;
    for (double sign : {1.0, -1.0}) {
        for (std::size_t i = 0; i < parameters.size(); ++i)
            tank.parameters[i] = parameters[i] + sign * h * direction[i];
        expected += sign * misfit() / (2.0 * h);
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) found += gradient[i] * direction[i];
    CHECK(std::abs(expected) > 1e-6);
    CHECK(found == doctest::Approx(expected).epsilon(1e-6));
}

TEST_CASE("a cancelled run stops") {
    const Tank tank({24, 20});
    const Simulation<Acoustic, 2, float> sim(tank.setup());
    Control control;
    control.cancel();
    CHECK_THROWS_AS(record(sim, {1e-4, 10000000}, here, there, control), Cancelled);
    CHECK(control.progress() < 1.0);
}

TEST_CASE("standing waves in a rigid and in a pressure-free box") {
    // φ = cos(πx/2) cos(πy/3) stands in a rigid box [0, 2] × [0, 3], sin sin in a pressure-free one.
    using std::numbers::pi;
    const auto owned = grid({2, 3}, 1);
    const int order = 6;
    const std::vector<double> parameters(2 * owned.view().n_elements * n_local_nodes(order, 2), 1.0);
    const auto x = Reference(owned.view(), order).coordinates();
    const double omega = pi * std::sqrt(1.0 / 4.0 + 1.0 / 9.0);
    for (bool rigid : {true, false}) {
        CAPTURE(rigid);
        SimulationSetup setup;
        setup.mesh = owned.view(), setup.order = order, setup.parameters = parameters.data();
        if (!rigid) setup.dirichlet = boundary_sides(owned.view());
        const Simulation<Acoustic, 2, double> sim(setup);
        const Index n = sim.n_dofs(), steps = 2000;
        const double dt = 2.0 * pi / omega / steps;  // one period
        std::vector<double> field(n), velocity(n), after(n);
        for (Index i = 0; i < n; ++i) {
            const double a = pi * x[2 * i] / 2.0, b = pi * x[2 * i + 1] / 3.0;
            field[i] = rigid ? std::cos(a) * std::cos(b) : std::sin(a) * std::sin(b);
            velocity[i] = -0.5 * dt * -omega * omega * field[i];  // w at step −1/2 of a field at rest
        }
        const auto none = sim.points(nullptr, 0);
        Simulation<Acoustic, 2, double>::Forward run{};
        run.sources = run.receivers = &none;
        run.initial_field = field.data(), run.initial_velocity = velocity.data(), run.final_field = after.data();
        Control control;
        Watch watch(control, nullptr);
        sim.forward({dt, steps}, run, watch);
        for (Index i = 0; i < n; ++i) CHECK(std::abs(after[i] - field[i]) < 1e-4);
    }
}
