// Modes of boxes that are known in closed form, against runs that start from them.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "media.hpp"
#include "reference.hpp"

using namespace wavetree;
using namespace wavetree::tests;
using std::numbers::pi;

namespace {

// Value of a component at a place.
using Mode = std::function<double(const double* x, int component)>;

// A box of unit cells without bends: `solid_from` splits it at that x, media are homogeneous.
Tank straight(const std::vector<int>& n, const std::vector<std::string>& physics,
              const std::vector<std::vector<double>>& constants) {
    Tank tank(n, 6, physics);
    tank.owned = grid(n, 1);
    const double centre[3] = {};
    for (auto& list : tank.elements) list.clear();
    for (Index e = 0; e < tank.owned.view().n_elements; ++e)
        tank.elements[physics.size() == 2 && map_point(tank.owned.view(), e, centre)[0] > n[0] / 2].push_back(e);
    for (std::size_t m = 0; m < physics.size(); ++m) {
        tank.coefficients[m].clear();
        const std::size_t nodes = tank.elements[m].size() * n_local_nodes(6, tank.dim());
        for (double value : constants[m]) tank.coefficients[m].insert(tank.coefficients[m].end(), nodes, value);
    }
    return tank;
}

// Starts at rest in the mode; after every quarter of a period the field is +, 0, −, 0 times the mode.
void check_mode(const Tank& tank, double omega, const std::vector<Mode>& modes) {
    const auto sim = make_simulation<double>(tank);
    const Index quarter = 500;
    const double dt = 0.5 * pi / omega / quarter;
    REQUIRE(dt < sim.maximum_time_step());
    auto state = sim.start(dt);
    std::vector<std::vector<double>> start(sim.n_media());
    for (std::size_t m = 0; m < sim.n_media(); ++m) {
        const Medium<double>& medium = sim.medium(m);
        const auto x = medium.coordinates();
        start[m].resize(state.fields[m].u.size());
        for_dofs(medium, [&](Index place, Index i, int c) {
            start[m][i] = state.fields[m].u[i] = modes[m](&x[place * tank.dim()], c);
            const double b = state.schemes[m].b[place];  // of the velocity half a step before
            state.fields[m].z[i] = b > 0.0 ? -(1.0 - std::cos(omega * dt)) / b * start[m][i] : 0.0;
        });
        medium.stiffness().spread(state.fields[m].u.data());
    }
    Control control;
    Watch watch(control, nullptr);
    for (int k = 1; k <= 5; ++k) {
        CAPTURE(k);
        sim.forward(state, k * quarter, {{}, {}, 5 * quarter, 0, {}, nullptr}, watch);
        for (std::size_t m = 0; m < sim.n_media(); ++m) {
            double wrong = 0.0, scale = 0.0;
            for_dofs(sim.medium(m), [&](Index, Index i, int) {
                wrong = std::max(wrong, std::abs(state.fields[m].u[i] - std::cos(0.5 * pi * k) * start[m][i]));
                scale = std::max(scale, std::abs(start[m][i]));
            });
            CHECK(wrong < 2e-5 * scale);
        }
    }
}

}  // namespace

TEST_CASE("standing waves in a rigid and in a pressure-free fluid") {
    // φ = Π cos(π x_d / L_d) stands in a rigid box, Π sin in a pressure-free one.
    for (const auto& n : {std::vector{2, 3}, std::vector{2, 3, 2}})
        for (bool rigid : {true, false}) {
            CAPTURE(n.size());
            CAPTURE(rigid);
            Tank tank = straight(n, {"acoustic"}, {{1.0 / (1.3 * 2.25), 1.0 / 1.3}});  // ρ = 1.3, vp = 1.5
            if (!rigid) tank.dirichlet = {boundary_sides(tank.owned.view())};
            double square = 0.0;
            for (int length : n) square += std::pow(pi / length, 2);
            check_mode(tank, 1.5 * std::sqrt(square), {[&](const double* x, int) {
                           double product = 1.0;
                           for (std::size_t d = 0; d < n.size(); ++d)
                               product *= rigid ? std::cos(pi * x[d] / n[d]) : std::sin(pi * x[d] / n[d]);
                           return product;
                       }});
        }
}

TEST_CASE("Lamé's mode of a free solid") {
    // u = (cos kx sin ky, −sin kx cos ky), k = π / L, ω = √2 k vs: free of dilatation, shear stress and, on the
    // sides, of traction. In three dimensions it is the same in every plane.
    const double rho = 1.2, lambda = 0.9, mu = 0.5, k = pi / 2.0;
    const std::vector<double> plane{rho, lambda + 2 * mu, lambda, 0, lambda + 2 * mu, 0, mu};
    const std::vector<double> space{rho,
                                    lambda + 2 * mu,
                                    lambda,
                                    lambda,
                                    0,
                                    0,
                                    0,
                                    lambda + 2 * mu,
                                    lambda,
                                    0,
                                    0,
                                    0,
                                    lambda + 2 * mu,
                                    0,
                                    0,
                                    0,
                                    mu,
                                    0,
                                    0,
                                    mu,
                                    0,
                                    mu};
    const Mode mode = [k](const double* x, int component) {
        return component == 0   ? std::cos(k * x[0]) * std::sin(k * x[1])
               : component == 1 ? -std::sin(k * x[0]) * std::cos(k * x[1])
                                : 0.0;
    };
    const double omega = std::sqrt(2.0 * mu / rho) * k;
    for (const auto& n : {std::vector{2, 2}, std::vector{2, 2, 1}}) {
        CAPTURE(n.size());
        check_mode(straight(n, {"elastic"}, {{rho, lambda, mu}}), omega, {mode});
        check_mode(straight(n, {"anisotropic"}, {n.size() == 2 ? plane : space}), omega, {mode});
    }
}

TEST_CASE("a mode of fluid and solid together") {
    // A column of fluid, 0 < x < a, rigid at x = 0, on a solid with λ = 0 and free sides and end, a < x < a + b:
    // all motion is along x. φ = cos k_f x and u = A cos k_s (a + b − x), where displacement and traction agree:
    //     −k_f/ρ_f sin k_f a = A cos k_s b,   E k_s A sin k_s b = σ = φ_tt = −ω² cos k_f a.
    const double rho_f = 1.0, c_f = 1.5, rho_s = 2.0, c_s = 1.1, a = 1.0, b = 1.0, E = rho_s * c_s * c_s;
    const auto mismatch = [&](double w) {
        return std::sin(w * a / c_f) * std::sin(w * b / c_s) / (rho_f * c_f) -
               std::cos(w * a / c_f) * std::cos(w * b / c_s) / (rho_s * c_s);
    };
    double low = 0.1, high = 1.7;  // the first root
    REQUIRE(mismatch(low) * mismatch(high) < 0.0);
    for (int i = 0; i < 100; ++i) {
        const double middle = 0.5 * (low + high);
        (mismatch(low) * mismatch(middle) > 0.0 ? low : high) = middle;
    }
    const double omega = low, k_f = omega / c_f, k_s = omega / c_s;
    const double A = -k_f / rho_f * std::sin(k_f * a) / std::cos(k_s * b);
    CHECK(E * k_s * A * std::sin(k_s * b) == doctest::Approx(-omega * omega * std::cos(k_f * a)).epsilon(1e-10));
    for (const auto& n : {std::vector{2, 1}, std::vector{2, 1, 1}}) {
        CAPTURE(n.size());
        const Tank tank =
            straight(n, {"acoustic", "elastic"}, {{1.0 / (rho_f * c_f * c_f), 1.0 / rho_f}, {rho_s, 0.0, 0.5 * E}});
        check_mode(tank, omega,
                   {[=](const double* x, int) { return std::cos(k_f * x[0]); },
                    [=](const double* x, int c) { return c ? 0.0 : A * std::cos(k_s * (a + b - x[0])); }});
    }
}
