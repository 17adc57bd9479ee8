// Operators and runs over ranks beside those of one rank.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "ranks.hpp"
#include "share.hpp"
#include "wavetree/core/errors.hpp"
#include "wavetree/solver/diffusion.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

double largest(const std::vector<double>& x) {
    double result = 0.0;
    for (double value : x) result = std::max(result, std::abs(value));
    return result;
}

double difference(std::vector<double> a, const std::vector<double>& b) {
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
    return largest(a);
}

template <class Real>
Simulation<Real> make_simulation(const Share& share) {
    return {share.mesh(), share.media()};
}

// Forces at nodes of a tank's elements.
struct Force {
    Index element, node;
    int component;
    double amount;
};

std::vector<Force> random_forces(const Medium<double>& medium, Index n, Random& random) {
    std::vector<Force> forces;
    for (double amount : random_values(n, random))
        forces.push_back({static_cast<Index>(random() % medium.elements().size()),
                          static_cast<Index>(random() % static_cast<std::size_t>(medium.n_nodes())),
                          static_cast<int>(random() % static_cast<std::size_t>(medium.n_components())), amount});
    return forces;
}

// K u plus forces, by dof and component; u by dof and component of the whole medium, whose dofs `dofs` names;
// elements: of the whole medium, those that are here.
template <class Real>
std::vector<Real> product(const Medium<Real>& medium, const std::vector<Index>& dofs,
                          const std::vector<Index>& elements, const std::vector<double>& u,
                          const std::vector<Force>& forces) {
    const Stiffness<Real>& K = medium.stiffness();
    const int n_c = medium.n_components();
    AlignedVector<Real> field(static_cast<std::size_t>(K.size())), r(field.size());
    for (std::size_t dof = 0; dof < dofs.size(); ++dof)
        for (int c = 0; c < n_c; ++c) field[K.value(dof, c)] = static_cast<Real>(u[dofs[dof] * n_c + c]);
    K.spread(field.data());
    const auto add = [&](Stiffness<Real>::Moment moment) {
        for (const Force& force : forces)
            if (const auto at = std::find(elements.begin(), elements.end(), force.element); at != elements.end()) {
                const Index node = (at - elements.begin()) * medium.n_nodes() + force.node;
                K.add(r.data(), K.value(medium.element_dofs()[node], force.component), force.amount, moment);
            }
    };
    add(Stiffness<Real>::Moment::before);
    K.apply(field.data(), r.data());
    add(Stiffness<Real>::Moment::after);
    std::vector<Real> result;
    for (std::size_t dof = 0; dof < dofs.size(); ++dof)
        for (int c = 0; c < n_c; ++c) result.push_back(std::exchange(r[K.value(dof, c)], Real(0)));
    if (std::any_of(r.begin(), r.end(), [](Real value) { return value != Real(0); }))
        throw std::logic_error("copies or places without dof are not clean");
    return result;
}

template <class T>
std::vector<T> counted(std::size_t n) {
    std::vector<T> result(n);
    std::iota(result.begin(), result.end(), T{0});
    return result;
}

template <class Real>
void check_product(const Tank& tank, const std::vector<int>& split, int n_ranks, std::size_t m) {
    const auto whole = make_simulation<Real>(tank);
    const Medium<Real>& medium = whole.medium(m);
    const int n_c = medium.n_components();
    Random random(41);
    const auto u = random_values(medium.n_dofs() * n_c, random);
    const auto forces = random_forces(make_simulation<double>(tank).medium(m), 200, random);
    const auto expected = product(medium, counted<Index>(static_cast<std::size_t>(medium.n_dofs())),
                                  counted<Index>(medium.elements().size()), u, forces);
    const auto found = on_ranks(n_ranks, [&](const Ranks* ranks, int rank) {
        const Share share(tank, split, rank, ranks);
        const auto sim = make_simulation<Real>(share);
        const auto dofs = share.dofs(whole, sim, m);
        return std::pair(dofs, product(sim.medium(m), dofs, share.elements(m), u, forces));
    });
    const double size = largest({expected.begin(), expected.end()});
    std::vector<Real> first(expected.size());
    std::vector<char> seen(expected.size(), 0);
    double error = 0.0;
    for (const auto& [dofs, values] : found)
        for (std::size_t i = 0; i < values.size(); ++i) {
            const std::size_t at = dofs[i / n_c] * n_c + i % n_c;
            error = std::max(error, std::abs(static_cast<double>(values[i]) - expected[at]));
            if (!std::exchange(seen[at], 1)) first[at] = values[i];
            CHECK(values[i] == first[at]);
        }
    CHECK(std::count(seen.begin(), seen.end(), 0) == 0);
    CHECK(error < (sizeof(Real) == sizeof(float) ? 1e-6 : 1e-13) * size);
}

}  // namespace

TEST_CASE_TEMPLATE("K u and forces over ranks are those of one rank, forces once", Real, float, double) {
    auto tanks = all_tanks(3);
    tanks.emplace_back(std::vector{40, 31}, 2, std::vector<std::string>{"acoustic"});  // several blocks
    tanks.emplace_back(std::vector{40, 31}, 2, std::vector<std::string>{"elastic"});
    Random random(37);
    for (const Tank& tank : tanks)
        for (int n_ranks : {2, 3, 4})
            for (double stray : {0.0, 1.0})
                for (std::size_t m = 0; m < tank.physics.size(); ++m) {
                    CAPTURE(describe(tank));
                    CAPTURE(n_ranks);
                    CAPTURE(stray);
                    check_product<Real>(tank, random_split(tank, n_ranks, stray, random), n_ranks, m);
                }
}

namespace {

// All that a forward and an adjoint run give.
struct Outcome {
    Samples records, at_sources, gradient;
    std::vector<double> energy;
};

struct Experiment {
    std::vector<Rows> sources, receivers;
    Samples stf, by_record;
    double dt;
    Index n_steps;
};

Experiment random_experiment(const Tank& tank, Index n_steps, Random& random) {
    Experiment result{random_rows(tank, 3, random, true),
                      random_rows(tank, 6, random, true),
                      {},
                      {},
                      0.9 * maximum_time_step(tank),
                      n_steps};
    result.stf = random_samples(result.sources, n_steps, random);
    result.by_record = random_samples(result.receivers, n_steps, random);
    return result;
}

Outcome run(const Simulation<double>& sim, const std::vector<Rows>& sources, const std::vector<Rows>& receivers,
            const Experiment& with) {
    Shot<double> shot(sim, sources, receivers);
    Outcome result;
    result.energy.resize(static_cast<std::size_t>(with.n_steps));
    std::vector<double> snapshots(static_cast<std::size_t>(with.n_steps * sim.n_values()));
    const WavefieldStore<double> store{counted<Index>(static_cast<std::size_t>(with.n_steps)),
                                       std::vector<double>(static_cast<std::size_t>(with.n_steps), 1.0),
                                       snapshots.data(), sim.n_values()};
    auto state = sim.start(with.dt);
    shot.energy = result.energy.data();
    result.records = shot.forward(state, with.n_steps, with.stf, &store);
    auto adjoint = sim.start_adjoint(with.dt, with.n_steps);
    result.at_sources = shot.adjoint(adjoint, with.dt, with.by_record, &store);
    for (std::size_t m = 0; m < sim.n_media(); ++m) {
        const Medium<double>& medium = sim.medium(m);
        result.gradient.emplace_back(medium.element_dofs().size() * (1 + medium.physics().n_stiffness));
        medium.gradient(adjoint.sums[m], adjoint.schemes[m], 0, result.gradient.back().data());
    }
    return result;
}

void add(Samples& to, const Samples& values) {
    to.resize(values.size());
    for (std::size_t m = 0; m < to.size(); ++m) {
        to[m].resize(std::max(to[m].size(), values[m].size()));
        for (std::size_t i = 0; i < values[m].size(); ++i) to[m][i] += values[m][i];
    }
}

// Values (n_coefficients, n_elements, n_nodes) of some elements among those of n_all, zero for the others.
std::vector<double> among_all(const std::vector<double>& values, const std::vector<Index>& elements, std::size_t n_all,
                              std::size_t n_nodes) {
    const std::size_t n = elements.size() * n_nodes, n_coefficients = n > 0 ? values.size() / n : 0;
    std::vector<double> result(n_coefficients * n_all * n_nodes);
    for (std::size_t i = 0; i < values.size(); ++i)
        result[(i / n * n_all + elements[i % n / n_nodes]) * n_nodes + i % n_nodes] = values[i];
    return result;
}

// The same over ranks, put together.
Outcome run_in_parts(const Tank& tank, const std::vector<int>& split, int n_ranks, const Experiment& with) {
    const auto parts = on_ranks(n_ranks, [&](const Ranks* ranks, int rank) {
        const Share share(tank, split, rank, ranks);
        Outcome part = run(make_simulation<double>(share), share.rows(with.sources), share.rows(with.receivers), with);
        for (std::size_t m = 0; m < tank.physics.size(); ++m)
            part.gradient[m] = among_all(part.gradient[m], share.elements(m), tank.elements[m].size(),
                                         n_local_nodes(tank.order, tank.dim()));
        return part;
    });
    Outcome result;
    result.energy = parts[0].energy;
    for (const Outcome& part : parts) {
        CHECK(part.energy == result.energy);
        add(result.records, part.records), add(result.at_sources, part.at_sources), add(result.gradient, part.gradient);
    }
    return result;
}

void check_runs(const Tank& tank, const std::vector<int>& split, int n_ranks) {
    Random random(47);
    const Experiment with = random_experiment(tank, 60, random);
    const Outcome one = run(make_simulation<double>(tank), with.sources, with.receivers, with);
    const Outcome all = run_in_parts(tank, split, n_ranks, with);
    CHECK(difference(all.energy, one.energy) < 1e-12 * largest(one.energy));
    for (std::size_t m = 0; m < tank.physics.size(); ++m) {
        CHECK(difference(all.records[m], one.records[m]) < 1e-12 * largest(one.records[m]));
        CHECK(difference(all.at_sources[m], one.at_sources[m]) < 1e-12 * largest(one.at_sources[m]));
        CHECK(difference(all.gradient[m], one.gradient[m]) < 1e-12 * largest(one.gradient[m]));
    }
}

// Damped small tanks, of which one side is held.
std::vector<Tank> closed_tanks(int order) {
    auto tanks = all_tanks(order);
    for (Tank& tank : tanks) {
        tank.damp(0.2);
        tank.dirichlet[0] = {tank.absorbing[0].back()};
        tank.absorbing[0].pop_back();
    }
    return tanks;
}

}  // namespace

TEST_CASE("records, energy, adjoint and gradient over ranks are those of one rank") {
    Random random(53);
    for (const Tank& tank : closed_tanks(3))
        for (int n_ranks : {2, 3, 4})
            for (double stray : {0.0, 1.0}) {
                CAPTURE(describe(tank));
                CAPTURE(n_ranks);
                CAPTURE(stray);
                check_runs(tank, random_split(tank, n_ranks, stray, random), n_ranks);
            }
}

TEST_CASE("a rank may be without elements of a medium") {
    for (const Tank& tank : closed_tanks(3)) {
        if (tank.physics.size() < 2) continue;
        CAPTURE(describe(tank));
        for (std::size_t m : {0, 1}) {  // divided; the other lies on rank 1
            std::vector<int> split(static_cast<std::size_t>(tank.owned.view().n_elements), 1);
            for (std::size_t k = 0; k < tank.elements[m].size(); k += 2) split[tank.elements[m][k]] = 0;
            for (const auto& [solid, fluid] : pairs_that_meet(tank)) split[solid] = split[fluid] = 1;
            if (std::count(split.begin(), split.end(), 0) > 0) check_runs(tank, split, 2);
        }
    }
}

TEST_CASE("the largest time step over ranks is that of one rank") {
    Random random(59);
    for (const Tank& tank : closed_tanks(3)) {
        CAPTURE(describe(tank));
        const double expected = maximum_time_step(tank);
        for (int n_ranks : {2, 3, 4})
            for (double stray : {0.0, 1.0}) {
                const auto split = random_split(tank, n_ranks, stray, random);
                const auto found = on_ranks(n_ranks, [&](const Ranks* ranks, int rank) {
                    return make_simulation<double>(Share(tank, split, rank, ranks)).maximum_time_step();
                });
                for (double dt : found) CHECK(std::abs(dt - expected) < 1e-12 * expected);
                for (double dt : found) CHECK(dt == found[0]);
            }
    }
}

namespace {

// What a run of pulses that grows says, without number of times that it has grown.
std::string failure_of(const Simulation<double>& sim, const std::vector<Rows>& rows, double dt, const Samples& stf,
                       Index source_end) {
    Shot<double> shot(sim, rows, rows);
    shot.source_end = source_end;
    auto state = sim.start(dt);
    try {
        shot.forward(state, 5000, stf);
    } catch (const Unstable& error) {
        return error.what();
    }
    return "";
}

std::string step_and_place(const std::string& text) {
    return text.substr(std::min(text.size(), text.find(" at time")));
}

}  // namespace

TEST_CASE("a run that grows ends on all ranks, at the step and place of one rank") {
    Tank tank({24, 2}, 3, {"acoustic"});
    const std::size_t n = n_local_nodes(tank.order, 2);
    for (std::size_t i = 0; i < n; ++i) tank.coefficients[0][tank.coefficients[0].size() / 2 + 7 * n + i] *= 9.0;
    Random random(61);
    const auto split = random_split(tank, 4, 0.0, random);
    const auto rows = random_rows(tank, 1, random, false);
    for (const auto& [factor, source_end] : {std::pair{1.05, Index{200}}, {1.05, 1'000'000}, {1.5, 1'000'000}})
        for (int power = 0; power < 54; power += 3) {  // overflow at any time between two looks
            CAPTURE(factor);
            CAPTURE(source_end);
            CAPTURE(power);
            const double dt = factor * maximum_time_step(tank);
            Samples stf = pulses(rows, 5000, dt);
            for (double& value : stf[0]) value *= std::pow(10.0, power);
            const auto one = failure_of(tests::make_simulation<double>(tank), rows, dt, stf, source_end);
            REQUIRE(!one.empty());
            const auto found = on_ranks(4, [&](const Ranks* ranks, int rank) {
                const Share share(tank, split, rank, ranks);
                return failure_of(make_simulation<double>(share), share.rows(rows), dt, stf, source_end);
            });
            for (const std::string& text : found) CHECK(text == found[0]);
            CHECK(step_and_place(found[0]) == step_and_place(one));
        }
}

TEST_CASE("a run that one rank cancels ends on all, forward and adjoint") {
    const Tank tank({4, 3}, 3, {"acoustic", "elastic"});
    Random random(67);
    const auto split = random_split(tank, 3, 0.0, random);
    const auto found = on_ranks(3, [&](const Ranks* ranks, int rank) {
        const auto sim = make_simulation<float>(Share(tank, split, rank, ranks));
        const std::vector<Rows> none(2);
        Shot<float> shot(sim, none, none);
        if (rank == 1) shot.control.cancel();
        auto state = sim.start(1e-3);
        std::string ends;
        try {
            shot.forward(state, 10'000'000, Samples(2));
        } catch (const Cancelled&) {
            ends += "forward";
        }
        auto adjoint = sim.start_adjoint(1e-3, 10'000'000);
        try {
            shot.adjoint(adjoint, 1e-3, Samples(2));
        } catch (const Cancelled&) {
            ends += " adjoint";
        }
        return std::pair(ends, state.step);
    });
    for (const auto& [ends, step] : found) {
        CHECK(ends == "forward adjoint");
        CHECK(step == found[0].second);
        CHECK(step < 10'000'000);
    }
}

TEST_CASE("smoothing over ranks is that of one rank") {
    Random random(71);
    for (const auto& n : {std::vector{6, 5}, std::vector{3, 2, 3}}) {
        const Tank tank(n, 3, {"acoustic"});
        const std::size_t n_nodes = n_local_nodes(tank.order, tank.dim()), n_elements = tank.elements[0].size();
        const auto tensor =
            random_stiffness(PhysicsId::diffusion, tank.dim(), static_cast<Index>(n_elements * n_nodes), random);
        const DiffusionOperator one({tank.owned.view(), tank.order, tensor.data(), "", 1});
        const auto given = random_values(one.n_dofs(), random);
        auto expected = given;
        one.apply(expected.data());
        for (int n_ranks : {2, 3, 4})
            for (double stray : {0.0, 1.0}) {
                CAPTURE(tank.dim());
                CAPTURE(n_ranks);
                CAPTURE(stray);
                const auto split = random_split(tank, n_ranks, stray, random);
                const auto errors = on_ranks(n_ranks, [&](const Ranks* ranks, int rank) {
                    const Share share(tank, split, rank, ranks);
                    const auto own = some_elements(tensor, share.elements(0), n_elements, n_nodes);
                    const DiffusionOperator S(
                        {share.mesh().mesh, tank.order, own.data(), "", 1, ranks, share.ghosts()});
                    std::vector<Index> dofs(static_cast<std::size_t>(S.n_dofs()));
                    for (std::size_t i = 0; i < S.element_dofs().size(); ++i)
                        dofs[S.element_dofs()[i]] =
                            one.element_dofs()[share.elements(0)[i / n_nodes] * n_nodes + i % n_nodes];
                    std::vector<double> values, wanted;
                    for (Index dof : dofs) values.push_back(given[dof]), wanted.push_back(expected[dof]);
                    S.apply(values.data());
                    return difference(values, wanted);
                });
                CHECK(largest(errors) < 1e-12 * largest(expected));
            }
    }
}
