#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "media.hpp"
#include "reference.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

// C x with C = 2 γ M and the impedance of absorbing sides, term by term.
std::vector<double> damped(const Tank& tank, const Medium<double>& medium, const std::vector<double>& x) {
    const MediumSetup setup = tank.media()[0];
    const int n_c = medium.n_components(), n_p = 1 + medium.physics().n_stiffness;
    const Geometry geometry(tank.owned.view(), tank.order);
    const Index n_nodes = geometry.n_nodes(), n = n_nodes * tank.owned.view().n_elements;
    const Factors factors(geometry);
    std::vector<double> result(x.size());
    for (Index i = 0; i < n && setup.sponge_rate; ++i)
        for (int c = 0; c < n_c; ++c) {
            const Index at = medium.element_dofs()[i] * n_c + c;
            result[at] += 2.0 * setup.sponge_rate[i] * factors.mass_weights[i] * setup.coefficients[i] * x[at];
        }
    for (const Side& side : setup.absorbing)
        for (const SideNode& at : side_quadrature(geometry, side)) {
            const Index i = side.element * n_nodes + at.node, dof = medium.element_dofs()[i];
            std::vector<double> p, Z(n_c * n_c);
            for (int k = 0; k < n_p; ++k) p.push_back(setup.coefficients[k * n + i]);
            medium.physics().impedance(p.data(), at.normal, Z.data());
            for (int a = 0; a < n_c; ++a)
                for (int b = 0; b < n_c; ++b) result[dof * n_c + a] += at.weight * Z[a * n_c + b] * x[dof * n_c + b];
        }
    return result;
}

void fill(const Medium<double>& medium, AlignedVector<double>& x, Random& random) {
    const auto values = random_values(medium.n_values(), random);
    for (Index i = 0; i < medium.n_values(); ++i) x[i] = medium.free()[i / medium.n_components()] ? values[i] : 0.0;
    medium.stiffness().spread(x.data());
}

// A random step: what it left before (`u`, `w`) and after, its force and K u.
struct Step {
    explicit Step(const Medium<double>& medium, double dt) : field(medium.rest()), Ku(medium.rest().r) {
        Random random(8);
        fill(medium, field.u, random), fill(medium, field.w, random);
        u = field.u, w = field.w, force = random_values(medium.n_values(), random);
        medium.stiffness().apply(u.data(), Ku.data());
        for (Index i = 0; i < medium.n_values(); ++i) field.r[i] = Ku[i] - force[i];
        const Scheme<double> scheme = medium.scheme(dt);
        medium.prepare(field, scheme);
        for (Index i = 0; i < medium.n_values(); ++i) acceleration.push_back(medium.acceleration(field, scheme, i));
        medium.update(field, scheme);
        for (Index i = 0; i < medium.n_values(); ++i) velocity.push_back(0.5 * (w[i] + field.w[i]));
    }

    Field<double> field;
    AlignedVector<double> Ku, u, w;
    std::vector<double> force, acceleration, velocity;  // the last two at the step itself
};

}  // namespace

TEST_CASE("mass, coordinates and numbering of a medium that fills the mesh") {
    for (const Tank& tank : all_tanks(3)) {
        if (tank.physics.size() > 1) continue;
        CAPTURE(describe(tank));
        const auto sim = make_simulation<double>(tank);
        const Medium<double>& medium = sim.medium(0);
        const Reference reference(tank.owned.view(), tank.order);
        CHECK(medium.element_dofs() == reference.dofs().element_dofs);
        const auto mass = reference.mass(tank.coefficients[0].data()), x = reference.coordinates();
        REQUIRE(medium.mass().size() == mass.size());
        for (std::size_t i = 0; i < mass.size(); ++i)
            CHECK(medium.mass()[i] == doctest::Approx(mass[i]).epsilon(1e-13));
        const auto found = medium.coordinates();
        for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::abs(found[i] - x[i]) < 1e-14);
        CHECK(medium.n_values() == medium.n_dofs() * n_components(medium.physics().id, tank.dim()));
    }
}

TEST_CASE("a step solves M u_tt + C u_t + K u = F by central differences") {
    for (Tank tank : all_tanks(3)) {
        if (tank.physics.size() > 1) continue;
        CAPTURE(describe(tank));
        tank.damp(0.3);
        tank.dirichlet = {{tank.absorbing[0][0]}};  // absorbing as well: held wins
        const auto sim = make_simulation<double>(tank);
        const Medium<double>& medium = sim.medium(0);
        const int n_c = medium.n_components();
        const double dt = 0.9 * sim.maximum_time_step();
        const Step step(medium, dt);
        const auto Cv = damped(tank, medium, step.velocity);
        double wrong = 0.0, scale = 0.0, held = 0.0, apart = 0.0;
        for (Index i = 0; i < medium.n_values(); ++i) {
            const double u = step.field.u[i], w = step.field.w[i], u_tt = step.acceleration[i];
            apart = std::max({apart, std::abs(u_tt - (w - step.w[i]) / dt), std::abs(u - step.u[i] - dt * w)});
            if (!medium.free()[i / n_c]) {
                held = std::max(held, std::abs(u) + std::abs(w) + std::abs(u_tt));
                continue;
            }
            const double inertia = medium.mass()[i / n_c] * (w - step.w[i]) / dt;
            wrong = std::max(wrong, std::abs(inertia + Cv[i] + step.Ku[i] - step.force[i]));
            scale = std::max({scale, std::abs(inertia), std::abs(step.Ku[i]), std::abs(Cv[i])});
        }
        CHECK(wrong < 1e-13 * scale);
        CHECK(held == 0.0);
        CHECK(apart < 1e-11);
        for (double r : step.field.r) CHECK(r == 0.0);
    }
}
