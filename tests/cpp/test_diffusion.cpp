#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>

#include "meshes.hpp"
#include "reference.hpp"
#include "wavetree/solver/diffusion.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

// Isotropic smoothing of standard deviation σ.
std::vector<double> tensor(const Mesh& mesh, int order, double sigma) {
    const int dim = mesh.dim;
    const std::size_t n = static_cast<std::size_t>(mesh.n_elements) * n_local_nodes(order, dim);
    std::vector<double> result;
    for (int row = 0; row < dim; ++row)
        for (int column = row; column < dim; ++column)
            result.insert(result.end(), n, row == column ? 0.5 * sigma * sigma : 0.0);
    return result;
}

DiffusionOperator make_operator(const Mesh& mesh, int order, const std::vector<double>& diffusion, int threads = 1) {
    DiffusionSetup setup;
    setup.mesh = mesh, setup.order = order, setup.tensor = diffusion.data(), setup.threads = threads;
    return DiffusionOperator(setup);
}

std::vector<double> smooth(const DiffusionOperator& S, std::vector<double> values) {
    S.apply(values.data());
    return values;
}

double inner(const std::vector<double>& mass, const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < mass.size(); ++i) sum += mass[i] * a[i] * b[i];
    return sum;
}

}  // namespace

TEST_CASE("smoothing is self-adjoint, semidefinite, and keeps constants and integrals") {
    for (const auto& n : {std::vector{6, 5}, std::vector{3, 2, 3}}) {
        CAPTURE(n.size());
        Random random(1);
        auto owned = grid(n, 2);
        bend(owned);
        reorient(owned, random);
        const int order = 3;
        const Reference reference(owned.view(), order);
        const auto mass = reference.mass();
        auto diffusion = tensor(owned.view(), order, 0.8);
        const std::size_t n_material = reference.dofs().element_dofs.size();
        for (std::size_t i = 0; i < n_material; ++i)  // xy
            diffusion[n_material + i] = 0.15 * std::sin(0.01 * static_cast<double>(i));
        const auto S = make_operator(owned.view(), order, diffusion);
        const auto a = random_values(S.n_dofs(), random), b = random_values(S.n_dofs(), random);
        const auto Sa = smooth(S, a), Sb = smooth(S, b);
        const double scale = std::sqrt(inner(mass, a, a) * inner(mass, b, b));
        CHECK(std::abs(inner(mass, Sa, b) - inner(mass, a, Sb)) < 1e-12 * scale);
        CHECK(inner(mass, a, Sa) > 0.0);
        const std::vector<double> one(a.size(), 1.0);
        for (double value : smooth(S, one)) CHECK(value == doctest::Approx(1.0).epsilon(1e-12));
        CHECK(std::abs(inner(mass, one, Sa) - inner(mass, one, a)) < 1e-12 * inner(mass, one, one));
    }
}

TEST_CASE("a cosine is damped by exp(−k²σ²/2)") {
    for (const auto& n : {std::vector{8, 2}, std::vector{8, 1, 1}}) {
        const auto owned = grid(n, 1);
        const int order = 4;
        const auto x = Reference(owned.view(), order).coordinates();
        for (double sigma : {0.3, 1.0, 2.5}) {
            CAPTURE(n.size());
            CAPTURE(sigma);
            const auto S = make_operator(owned.view(), order, tensor(owned.view(), order, sigma));
            for (int mode = 1; mode <= 4; ++mode) {
                const double k = mode * std::numbers::pi / 8.0;
                std::vector<double> wave(static_cast<std::size_t>(S.n_dofs()));
                for (std::size_t i = 0; i < wave.size(); ++i) wave[i] = std::cos(k * x[n.size() * i]);
                const auto smoothed = smooth(S, wave);
                double error = 0.0;
                for (std::size_t i = 0; i < wave.size(); ++i)
                    error = std::max(error, std::abs(smoothed[i] - std::exp(-0.5 * k * k * sigma * sigma) * wave[i]));
                CHECK(error < 0.02);
            }
        }
    }
}

TEST_CASE("zero lengths change nothing") {
    Random random(2);
    const auto owned = grid({3, 3}, 1);
    const auto S = make_operator(owned.view(), 2, tensor(owned.view(), 2, 0.0));
    const auto a = random_values(S.n_dofs(), random);
    CHECK(S.degree() == -1);
    CHECK(smooth(S, a) == a);
}

TEST_CASE("the same bits on every run and for every number of threads") {
    Random random(3);
    auto owned = grid({30, 20}, 1);
    shear(owned);
    const auto diffusion = tensor(owned.view(), 2, 1.0);
    std::vector<double> values, expected;
    for (int threads : {1, 1, 2, 3}) {
        const auto S = make_operator(owned.view(), 2, diffusion, threads);
        if (values.empty()) values = random_values(S.n_dofs(), random), expected = smooth(S, values);
        const auto smoothed = smooth(S, values);
        CHECK(smoothed != values);
        CHECK(std::memcmp(smoothed.data(), expected.data(), expected.size() * sizeof(double)) == 0);
    }
}
