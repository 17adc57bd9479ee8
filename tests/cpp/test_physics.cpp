#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "media.hpp"
#include "reference.hpp"
#include "wavetree/core/errors.hpp"
#include "wavetree/operators/physics.hpp"
#include "wavetree/physics/diffusion.hpp"
#include "wavetree/physics/list.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

template <class P, int D>
struct Case {
    using Physics = P;
    static constexpr int dim = D, n_components = P::template n_components<D>, n_stiffness = P::template n_stiffness<D>;
};

template <class Case>
using Gradient = double[Case::n_components][Case::dim];

template <class Case>
void random_gradient(Random& random, Gradient<Case>& out) {
    const auto values = random_values(Case::n_components * Case::dim, random);
    for (int c = 0; c < Case::n_components; ++c) std::copy_n(&values[c * Case::dim], Case::dim, out[c]);
}

// ∇λ : flux(∇u) by the full tensor.
template <class Case>
double contract(const std::vector<double>& k, const Gradient<Case>& u, const Gradient<Case>& lambda) {
    const FluxTensor t = flux_tensor(Case::Physics::id, Case::dim, k);
    double sum = 0.0;
    for (int c = 0; c < Case::n_components; ++c)
        for (int d = 0; d < Case::dim; ++d)
            for (int e = 0; e < Case::n_components; ++e)
                for (int l = 0; l < Case::dim; ++l) sum += lambda[c][d] * t.at[c][d][e][l] * u[e][l];
    return sum;
}

std::vector<double> random_normal(int dim, Random& random) {
    auto n = random_values(dim, random);
    double square = 0.0;
    for (double x : n) square += x * x;
    for (double& x : n) x /= std::sqrt(square);
    return n;
}

// Γ_ik = Σ c_ijkl n_j n_l by the full tensor; for a fluid M1.
template <class Case>
std::vector<double> christoffel(const std::vector<double>& p, const std::vector<double>& normal) {
    const FluxTensor t = flux_tensor(Case::Physics::id, Case::dim, {p.begin() + 1, p.end()});
    constexpr int n = Case::n_components;
    std::vector<double> result(n * n, 0.0);
    for (int i = 0; i < n; ++i)
        for (int k = 0; k < n; ++k)
            for (int j = 0; j < Case::dim; ++j)
                for (int l = 0; l < Case::dim; ++l) result[i * n + k] += t.at[i][j][k][l] * normal[j] * normal[l];
    return result;
}

template <class Case>
std::vector<double> impedance(const std::vector<double>& p, const std::vector<double>& normal) {
    std::vector<double> Z(Case::n_components * Case::n_components);
    Case::Physics::template impedance<Case::dim>(p.data(), normal.data(), Z.data());
    return Z;
}

// Upper triangle of the Voigt matrix of an isotropic medium.
std::vector<double> isotropic_voigt(int dim, double lambda, double mu) {
    const int n = dim == 2 ? 3 : 6;
    std::vector<double> C;
    for (int i = 0; i < n; ++i)
        for (int j = i; j < n; ++j)
            C.push_back((i < dim && j < dim ? lambda : 0.0) + (i == j ? (i < dim ? 2.0 * mu : mu) : 0.0));
    return C;
}

}  // namespace

#define WAVETREE_CASES \
    Case<Acoustic, 2>, Case<Acoustic, 3>, Case<Elastic, 2>, Case<Elastic, 3>, Case<Anisotropic, 2>, Case<Anisotropic, 3>

TEST_CASE_TEMPLATE("the flux is the contraction with the fourth-order tensor", C, WAVETREE_CASES, Case<Diffusion, 2>,
                   Case<Diffusion, 3>) {
    Random random(1);
    for (int repeat = 0; repeat < 20; ++repeat) {
        const auto k = random_values(C::n_stiffness, random);
        Gradient<C> u, flux, unit = {};
        random_gradient<C>(random, u);
        C::Physics::template flux<C::dim>(u, k.data(), flux);
        for (int c = 0; c < C::n_components; ++c)
            for (int d = 0; d < C::dim; ++d) {
                unit[c][d] = 1.0;
                CHECK(std::abs(flux[c][d] - contract<C>(k, u, unit)) < 1e-14);
                unit[c][d] = 0.0;
            }
    }
}

TEST_CASE_TEMPLATE("the derivative of the flux by its coefficients", C, WAVETREE_CASES) {
    // ∇λ:flux(∇u) is linear in the coefficients, so a central difference over any step is exact.
    Random random(2);
    Gradient<C> u, lambda;
    random_gradient<C>(random, u), random_gradient<C>(random, lambda);
    double found[C::n_stiffness];
    C::Physics::template flux_derivative<C::dim>(u, lambda, found);
    const auto k = random_values(C::n_stiffness, random);
    for (int i = 0; i < C::n_stiffness; ++i) {
        auto plus = k, minus = k;
        plus[i] += 0.5, minus[i] -= 0.5;
        CHECK(std::abs(found[i] - (contract<C>(plus, u, lambda) - contract<C>(minus, u, lambda))) < 1e-14);
    }
}

TEST_CASE_TEMPLATE("Z² = ρΓ, Z symmetric and positive definite", C, WAVETREE_CASES) {
    Random random(3);
    constexpr int n = C::n_components;
    for (int repeat = 0; repeat < 50; ++repeat) {
        const auto p = random_coefficients(C::Physics::id, C::dim, 1, random);
        const auto normal = random_normal(C::dim, random);
        const auto Z = impedance<C>(p, normal), gamma = christoffel<C>(p, normal);
        const auto v = random_values(n, random);
        double form = 0.0, norm = 0.0;
        for (int i = 0; i < n; ++i) {
            norm += v[i] * v[i];
            for (int j = 0; j < n; ++j) {
                CHECK(std::abs(Z[i * n + j] - Z[j * n + i]) < 1e-15);
                double square = 0.0;
                for (int k = 0; k < n; ++k) square += Z[i * n + k] * Z[k * n + j];
                CHECK(std::abs(square - p[0] * gamma[i * n + j]) < 1e-14);
                form += v[i] * Z[i * n + j] * v[j];
            }
        }
        CHECK(form >= 0.2 * norm);  // ρ vs ≥ sqrt(0.9 · 0.15) here
    }
}

TEST_CASE_TEMPLATE("the derivative of the impedance against central differences", C, WAVETREE_CASES) {
    Random random(4);
    constexpr int n = C::n_components, n_p = 1 + C::n_stiffness;
    for (int repeat = 0; repeat < 10; ++repeat) {
        const auto p = random_coefficients(C::Physics::id, C::dim, 1, random);
        const auto normal = random_normal(C::dim, random), by_Z = random_values(n * n, random);
        std::vector<double> g(n_p, 7.0);  // it adds
        C::Physics::template impedance_derivative<C::dim>(p.data(), normal.data(), by_Z.data(), g.data());
        for (int i = 0; i < n_p; ++i) {
            constexpr double h = 1e-5;
            double expected = 0.0;
            for (double sign : {1.0, -1.0}) {
                auto moved = p;
                moved[i] += sign * h;
                const auto Z = impedance<C>(moved, normal);
                for (int k = 0; k < n * n; ++k) expected += sign * by_Z[k] * Z[k] / (2.0 * h);
            }
            CHECK(std::abs(g[i] - 7.0 - expected) < 1e-9);
        }
    }
}

TEST_CASE_TEMPLATE("an isotropic tensor is the same medium in both forms", Dimension, std::integral_constant<int, 2>,
                   std::integral_constant<int, 3>) {
    constexpr int dim = Dimension::value;
    using Iso = Case<Elastic, dim>;
    using Aniso = Case<Anisotropic, dim>;
    Random random(5);
    const double rho = 1.2;
    const std::vector<double> k{0.4, 0.3}, C = isotropic_voigt(dim, k[0], k[1]);
    for (int repeat = 0; repeat < 20; ++repeat) {
        double u[dim][dim], a[dim][dim], b[dim][dim];
        random_gradient<Iso>(random, u);
        Elastic::flux<dim>(u, k.data(), a);
        Anisotropic::flux<dim>(u, C.data(), b);
        for (int i = 0; i < dim * dim; ++i) CHECK(std::abs(a[i / dim][i % dim] - b[i / dim][i % dim]) < 1e-15);
        std::vector<double> p{rho}, q{rho, k[0], k[1]};
        p.insert(p.end(), C.begin(), C.end());
        const auto normal = random_normal(dim, random);
        const auto Z = impedance<Aniso>(p, normal), expected = impedance<Iso>(q, normal);
        for (int i = 0; i < dim * dim; ++i) CHECK(std::abs(Z[i] - expected[i]) < 1e-14);
    }
}

TEST_CASE("waves along the axes of a hexagonal medium meet ρ times their own speed") {
    // Symmetry axis z: along it travel VPV and VSV, across it VPH, VSH (polarised horizontally) and VSV.
    const double rho = 1.1, vpv = 1.0, vph = 1.2, vsv = 0.5, vsh = 0.6, eta = 0.9;
    const double A = rho * vph * vph, C = rho * vpv * vpv, L = rho * vsv * vsv, N = rho * vsh * vsh;
    const double F = eta * (A - 2.0 * L);
    const std::vector<double> p{rho, A, A - 2.0 * N, F, 0, 0, 0, A, F, 0, 0, 0, C, 0, 0, 0, L, 0, 0, L, 0, N};
    using Solid = Case<Anisotropic, 3>;
    const auto check = [&](std::vector<double> normal, std::array<double, 3> speeds) {
        const auto Z = impedance<Solid>(p, normal);
        for (int i = 0; i < 9; ++i) CHECK(std::abs(Z[i] - (i % 4 == 0 ? rho * speeds[i / 4] : 0.0)) < 1e-14);
    };
    check({0, 0, 1}, {vsv, vsv, vpv});
    check({1, 0, 0}, {vph, vsh, vsv});
    check({0, -1, 0}, {vsh, vph, vsv});
    // Across the axis at any azimuth the polarisations turn with the normal.
    const double c = std::cos(0.7), s = std::sin(0.7);
    const auto Z = impedance<Solid>(p, {c, s, 0.0});
    CHECK(Z[0] * c + Z[1] * s == doctest::Approx(rho * vph * c).epsilon(1e-14));
    CHECK(Z[3] * c + Z[4] * s == doctest::Approx(rho * vph * s).epsilon(1e-14));
    CHECK(-Z[0] * s + Z[1] * c == doctest::Approx(-rho * vsh * s).epsilon(1e-14));
}

TEST_CASE("in an oblique direction Z e = ρ c e for every wave that travels there") {
    // In the plane that holds the symmetry axis: the quasi-longitudinal and quasi-transverse speeds in closed
    // form (Thomsen 1986, Geophysics 51, equation 10), the third wave polarised across the plane.
    const double rho = 1.1, A = 1.584, C = 1.1, L = 0.275, N = 0.396, F = 0.9 * (A - 2.0 * L);
    const std::vector<double> p{rho, A, A - 2.0 * N, F, 0, 0, 0, A, F, 0, 0, 0, C, 0, 0, 0, L, 0, 0, L, 0, N};
    for (double angle : {0.2, 0.8, 1.3}) {
        CAPTURE(angle);
        const double s = std::sin(angle), c = std::cos(angle);
        const auto Z = impedance<Case<Anisotropic, 3>>(p, {s, 0.0, c});
        const double across = std::sqrt((N * s * s + L * c * c) / rho);
        CHECK(Z[4] == doctest::Approx(rho * across).epsilon(1e-14));
        const double half = 0.5 * (A * s * s + C * c * c + L);
        const double difference = (A - L) * s * s - (C - L) * c * c, mixed = 2.0 * (F + L) * s * c;
        const double root = 0.5 * std::hypot(difference, mixed);
        for (double sign : {1.0, -1.0}) {
            const double speed = std::sqrt((half + sign * root) / rho);
            const double x = 0.5 * mixed, z = half + sign * root - A * s * s - L * c * c;  // its polarisation
            CHECK(Z[0] * x + Z[2] * z == doctest::Approx(rho * speed * x).epsilon(1e-13));
            CHECK(Z[6] * x + Z[8] * z == doctest::Approx(rho * speed * z).epsilon(1e-13));
            CHECK(std::abs(Z[3] * x + Z[5] * z) < 1e-14);
        }
    }
}

TEST_CASE("physics by name") {
    for (int dim : {2, 3})
        for (const std::string name : {"acoustic", "elastic", "anisotropic"}) {
            CAPTURE(name);
            const PhysicsTraits& traits = physics_traits(name, dim);
            CHECK(traits.name == name);
            CHECK(traits.n_components == (name == "acoustic" ? 1 : dim));
            const int expected = name == "acoustic" ? 1 : name == "elastic" ? 2 : dim == 2 ? 6 : 21;
            CHECK(traits.n_stiffness == expected);
        }
    CHECK_THROWS_WITH_AS(physics_traits("elasitc", 2),
                         "physics is 'elasitc'; expected one of acoustic, elastic, anisotropic", InputError);
}
