#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

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

using Values = std::vector<double>;  // (n_dofs, n_components)

// Random where the field is not held at zero.
Values random_field(const Medium<double>& medium, Random& random) {
    Values x;
    for_dofs(medium, [&](Index place, Index, int) {
        const double value = random_values(1, random)[0];
        x.push_back(medium.free()[place] ? value : 0.0);
    });
    return x;
}

// A random step: field and velocity before and after it, its force and K u.
struct Step {
    Step(const Medium<double>& medium, double dt) {
        Random random(8);
        u = random_field(medium, random), w = random_field(medium, random);
        Field<double> field = medium.rest();
        const Scheme<double> scheme = medium.scheme(dt);
        std::size_t k = 0;
        for_dofs(medium, [&](Index place, Index i, int) {
            field.u[i] = u[k];
            field.z[i] = scheme.b[place] > 0.0 ? -dt * w[k] / scheme.b[place] : 0.0;
            ++k;
        });
        medium.stiffness().spread(field.u.data());
        auto product = field.z;
        std::fill(product.begin(), product.end(), 0.0);
        medium.stiffness().apply(field.u.data(), product.data());
        medium.sweep(field, scheme);
        for_dofs(medium, [&](Index, Index i, int) {
            force.push_back(random_values(1, random)[0]);
            medium.add_force(field, scheme, i, force.back(), Medium<double>::Moment::after);
            Ku.push_back(product[i]);
        });
        medium.damp_boundary(field, scheme);
        medium.finish(field, scheme);
        for_dofs(medium, [&](Index place, Index i, int) {
            u_after.push_back(field.u[i]), w_after.push_back(medium.velocity(field, scheme, place, i));
        });
    }

    Values u, w, Ku, force, u_after, w_after;
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
        REQUIRE(static_cast<std::size_t>(medium.n_dofs()) == mass.size());
        const auto found = medium.coordinates();
        std::set<Index> places;
        for (std::size_t dof = 0; dof < mass.size(); ++dof) {
            const Index place = medium.stiffness().numbering().place(static_cast<Index>(dof));
            CHECK(places.insert(place).second);
            REQUIRE(place < medium.n_places());
            CHECK(medium.mass()[place] == doctest::Approx(mass[dof]).epsilon(1e-13));
            for (int d = 0; d < tank.dim(); ++d)
                CHECK(std::abs(found[place * tank.dim() + d] - x[dof * tank.dim() + d]) < 1e-14);
        }
        for (Index place = 0; place < medium.n_places(); ++place)
            CHECK(static_cast<bool>(medium.free()[place]) == (places.count(place) > 0));
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
        Values velocity;  // at the step itself
        for (std::size_t i = 0; i < step.w.size(); ++i) velocity.push_back(0.5 * (step.w[i] + step.w_after[i]));
        const auto Cv = damped(tank, medium, velocity);
        double wrong = 0.0, scale = 0.0, held = 0.0, apart = 0.0;
        for (std::size_t i = 0; i < step.u.size(); ++i) {
            const Index place = medium.stiffness().numbering().place(static_cast<Index>(i) / n_c);
            apart = std::max(apart, std::abs(step.u_after[i] - step.u[i] - dt * step.w_after[i]));
            if (!medium.free()[place]) {
                held = std::max(held, std::abs(step.u_after[i]) + std::abs(step.w_after[i]));
                continue;
            }
            const double inertia = medium.mass()[place] * (step.w_after[i] - step.w[i]) / dt;
            wrong = std::max(wrong, std::abs(inertia + Cv[i] + step.Ku[i] - step.force[i]));
            scale = std::max({scale, std::abs(inertia), std::abs(step.Ku[i]), std::abs(Cv[i])});
        }
        CHECK(wrong < 1e-13 * scale);
        CHECK(held == 0.0);
        CHECK(apart < 1e-13);
    }
}
