#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "meshes.hpp"
#include "reference.hpp"
#include "wavetree/operators/boundary.hpp"
#include "wavetree/solver/time_step.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

// Largest eigenvalue of a dense symmetric matrix by Jacobi rotations.
double jacobi(std::vector<double> a, std::size_t n) {
    for (int sweep = 0; sweep < 30; ++sweep)
        for (std::size_t p = 0; p < n; ++p)
            for (std::size_t q = p + 1; q < n; ++q) {
                if (std::abs(a[p * n + q]) < 1e-300) continue;
                const double theta = (a[q * n + q] - a[p * n + p]) / (2.0 * a[p * n + q]);
                const double t = (theta < 0 ? -1.0 : 1.0) / (std::abs(theta) + std::sqrt(theta * theta + 1.0));
                const double c = 1.0 / std::sqrt(t * t + 1.0), s = t * c;
                for (std::size_t k = 0; k < n; ++k) {
                    const double kp = a[k * n + p], kq = a[k * n + q];
                    a[k * n + p] = c * kp - s * kq, a[k * n + q] = s * kp + c * kq;
                }
                for (std::size_t k = 0; k < n; ++k) {
                    const double pk = a[p * n + k], qk = a[q * n + k];
                    a[p * n + k] = c * pk - s * qk, a[q * n + k] = s * pk + c * qk;
                }
            }
    double result = 0.0;
    for (std::size_t i = 0; i < n; ++i) result = std::max(result, a[i * n + i]);
    return result;
}

// Largest eigenvalue of M⁻¹K on the free dofs, from the reference's dense matrix.
double dense_eigenvalue(const Reference& reference, const std::vector<double>& k, const std::vector<double>& mass,
                        const std::vector<char>& free) {
    const std::size_t n = mass.size();
    std::vector<double> matrix(n * n);
    for (std::size_t j = 0; j < n; ++j) {
        std::vector<double> unit(n);
        unit[j] = free[j];
        const auto column = reference.stiffness(k, unit);
        for (std::size_t i = 0; i < n; ++i) matrix[i * n + j] = free[i] * column[i] / std::sqrt(mass[i] * mass[j]);
    }
    return jacobi(std::move(matrix), n);
}

}  // namespace

TEST_CASE("the bound lies above the largest eigenvalue, and not far above") {
    for (unsigned seed = 0; seed < 12; ++seed) {
        CAPTURE(seed);
        Random random(seed);
        const int order = 1 + static_cast<int>(seed % 4);
        auto owned = grid(order < 3 ? std::vector{5, 4} : std::vector{2, 2}, 2);
        bend(owned);
        reorient(owned, random);
        const Geometry geometry(owned.view(), order);
        const Factors factors(geometry);
        const Reference reference(owned.view(), order);
        const DofMap& dofs = reference.dofs();
        // Strong contrasts: the fastest mode is confined to a few elements.
        auto k = random_values(owned.view().n_elements * geometry.n_nodes(), random, -1.0, 1.0);
        for (double& value : k) value = std::exp(value);
        std::vector<char> free(static_cast<std::size_t>(dofs.n_dofs), 1);
        if (seed % 2)
            for (Index dof : dirichlet_dofs(geometry, dofs, boundary_sides(owned.view()))) free[dof] = 0;
        const auto mass = reference.mass();
        const Stiffness<double> K({PhysicsId::acoustic, 1, geometry, factors, dofs, "", 1}, k.data());
        const double exact = dense_eigenvalue(reference, k, mass, free);
        const double bound = largest_eigenvalue(K, mass, free, reference.coordinates());
        CHECK(bound >= exact * (1.0 - 1e-12));
        CHECK(bound <= exact * 1.01);
    }
}
