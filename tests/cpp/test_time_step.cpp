#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "dense.hpp"
#include "media.hpp"
#include "reference.hpp"
#include "wavetree/solver/coupled.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

// The dense matrices of one medium on its free dofs, by the reference. K and 1/M are zero elsewhere.
struct DenseMedium {
    DenseMedium(const Medium<double>& medium, const Mesh& whole, const std::vector<double>& coefficients, int order) {
        std::vector<Index> connectivity;
        Mesh part = whole;
        for (Index e : medium.elements())
            connectivity.insert(connectivity.end(), whole.element(e), whole.element(e) + whole.n_shape_nodes());
        part.connectivity = connectivity.data(), part.n_elements = static_cast<Index>(medium.elements().size());
        const Reference reference(part, order);
        const Index n_material = part.n_elements * n_local_nodes(order, part.dim);
        const std::vector<double> k(coefficients.begin() + n_material, coefficients.end());
        const auto mass = reference.mass(coefficients.data());
        const std::size_t n = medium.n_components(), size = mass.size() * n;
        for (std::size_t i = 0; i < size; ++i)
            root.push_back(medium.free()[medium.stiffness().numbering().place(i / n)] ? 1.0 / std::sqrt(mass[i / n])
                                                                                      : 0.0);
        K = assemble(size, size, [&](const auto& u) { return reference.stiffness(medium.physics().id, k, u); });
        for (std::size_t i = 0; i < size; ++i)
            for (std::size_t j = 0; j < size; ++j) K(i, j) *= (root[i] > 0.0) * (root[j] > 0.0);
    }

    // M^(−1/2) K M^(−1/2)
    Dense scaled() const {
        Dense a = K;
        for (std::size_t i = 0; i < a.rows; ++i)
            for (std::size_t j = 0; j < a.columns; ++j) a(i, j) *= root[i] * root[j];
        return a;
    }

    std::vector<double> root;  // M^(−1/2)
    Dense K{0, 0};
};

// Of the coupled operator in the symmetric form that the variables K_f^(1/2) φ and M_s^(1/2) u give it.
double coupled_eigenvalue(const DenseMedium& fluid, const DenseMedium& solid, const Dense& B) {
    const std::size_t n_f = fluid.K.rows, n = n_f + solid.K.rows;
    const Spectrum of_fluid = spectrum(fluid.K);
    Dense half = transpose(of_fluid.vectors);
    for (std::size_t i = 0; i < n_f; ++i)
        for (std::size_t j = 0; j < n_f; ++j) half(i, j) *= std::sqrt(std::max(0.0, of_fluid.values[i]));
    half = of_fluid.vectors * half;
    Dense T{n_f, n};  // M_f^(−1/2) [K_f^(1/2), Bᵀ M_s^(−1/2)]
    for (std::size_t i = 0; i < n_f; ++i)
        for (std::size_t j = 0; j < n; ++j)
            T(i, j) = fluid.root[i] * (j < n_f ? half(i, j) : B(j - n_f, i) * solid.root[j - n_f]);
    Dense S = transpose(T) * T;
    const Dense scaled = solid.scaled();
    for (std::size_t i = n_f; i < n; ++i)
        for (std::size_t j = n_f; j < n; ++j) S(i, j) += scaled(i - n_f, j - n_f);
    return largest(spectrum(S).values);
}

// Strong contrasts: the fastest mode is confined to a few elements.
void roughen(Tank& tank, Random& random) {
    for (std::size_t m = 0; m < tank.physics.size(); ++m) {
        auto& coefficients = tank.coefficients[m];
        const std::size_t n = tank.elements[m].size() * n_local_nodes(tank.order, tank.dim());
        const auto factor = random_values(static_cast<Index>(n), random, -1.0, 1.0);
        for (std::size_t i = n; i < coefficients.size(); ++i) coefficients[i] *= std::exp(factor[i % n]);
    }
}

struct Box {
    std::vector<int> n;
    int order;
};
const std::vector<Box> boxes{{{4, 4}, 1}, {{4, 2}, 2}, {{2, 2}, 3}, {{2, 1, 1}, 2}};

Coupling make_coupling(const Tank& tank, const Simulation<double>& sim) {
    const Mesh mesh = tank.owned.view();
    std::vector<char> solid(static_cast<std::size_t>(mesh.n_elements), 0);
    for (Index e : tank.elements[1]) solid[e] = 1;
    return {Geometry(mesh, tank.order), make_dof_map(mesh, tank.order), interface_sides(mesh, solid),
            sim.medium(0).number(), sim.medium(1).number()};
}

}  // namespace

TEST_CASE("the bound lies above the largest eigenvalue, and not far above") {
    unsigned seed = 0;
    for (const char* physics : {"acoustic", "elastic", "anisotropic"})
        for (const Box& box : boxes) {
            CAPTURE(physics);
            CAPTURE(box.n.size());
            CAPTURE(box.order);
            Random random(++seed);
            Tank tank(box.n, box.order, {physics});
            roughen(tank, random);
            if (seed % 2) tank.dirichlet[0] = {tank.outer()[0][0], tank.outer()[0][1]};
            const auto sim = make_simulation<double>(tank);
            const DenseMedium dense(sim.medium(0), tank.owned.view(), tank.coefficients[0], box.order);
            const double exact = largest(spectrum(dense.scaled()).values);
            const double bound = std::pow(2.0 / sim.maximum_time_step(), 2);
            CHECK(bound >= exact * (1.0 - 1e-12));
            CHECK(bound <= exact * 1.01);
        }
}

TEST_CASE("the bound of the coupled operator") {
    unsigned seed = 0;
    for (const char* physics : {"elastic", "anisotropic"})
        for (const Box& box : boxes) {
            CAPTURE(physics);
            CAPTURE(box.n.size());
            CAPTURE(box.order);
            Random random(++seed);
            Tank tank(box.n, box.order, {"acoustic", physics});
            roughen(tank, random);
            const bool heavy = seed % 3 == 0;  // a fluid whose mass the solid has to move along
            for (double& m : tank.coefficients[0]) m *= heavy ? 0.1 : 1.0;
            if (seed % 2)
                for (std::size_t m : {0, 1}) tank.dirichlet[m] = {tank.outer()[m][0]};
            const auto sim = make_simulation<double>(tank);
            const Mesh mesh = tank.owned.view();
            const DenseMedium fluid(sim.medium(0), mesh, tank.coefficients[0], box.order);
            const DenseMedium solid(sim.medium(1), mesh, tank.coefficients[1], box.order);
            const Coupling coupling = make_coupling(tank, sim);
            const Dense B = assemble(solid.K.rows, fluid.K.rows, [&](const auto& phi) {
                std::vector<double> r(solid.K.rows);
                coupling.to_solid(
                    1.0, [&](Index dof) { return phi[dof]; },
                    [&](Index dof, int d, double amount) { r[dof * tank.dim() + d] += amount; });
                return r;
            });
            const double exact = coupled_eigenvalue(fluid, solid, B);
            const double bound = std::pow(2.0 / sim.maximum_time_step(), 2);
            CHECK(bound >= exact * (1.0 - 1e-12));
            CHECK(bound <= exact * 1.01);
            const double apart =
                std::max(largest(spectrum(fluid.scaled()).values), largest(spectrum(solid.scaled()).values));
            CHECK(exact > (heavy ? 1.5 : 1.0) * apart);
        }
}

TEST_CASE("the coupled operator is symmetric and positive semidefinite in its inner product") {
    const Tank tank({4, 3}, 3, {"acoustic", "anisotropic"});
    const auto sim = make_simulation<double>(tank);
    const Coupling coupling = make_coupling(tank, sim);
    CoupledProblem coupled(sim.medium(0), sim.medium(1), coupling);
    const EigenProblem problem = coupled.problem();
    const std::size_t n_f = sim.medium(0).stiffness().size(), n = n_f + sim.medium(1).stiffness().size();
    Random random(5);
    const auto field = [&] {
        EigenProblem::Vector x(n);
        for (std::size_t m : {0, 1})
            for_dofs(sim.medium(m), [&](Index, Index i, int) { x[(m ? n_f : 0) + i] = random_values(1, random)[0]; });
        return x;
    };
    const auto inner = [&](EigenProblem::Vector x, EigenProblem::Vector y) {
        EigenProblem::Vector Wy(n);
        problem.weigh(y, Wy);
        double sum = 0.0;
        for (std::size_t i = 0; i < n; ++i) sum += x[i] * Wy[i];
        return sum;
    };
    auto x = field(), y = field();
    EigenProblem::Vector Lx(n), Ly(n);
    problem.apply(x, Lx), problem.apply(y, Ly);
    const double scale = std::sqrt(inner(x, x) * inner(Ly, Ly));
    CHECK(std::abs(inner(x, Ly) - inner(y, Lx)) < 1e-13 * scale);
    CHECK(inner(x, Lx) > 0.0);
}
