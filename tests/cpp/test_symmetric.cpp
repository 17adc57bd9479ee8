#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "meshes.hpp"
#include "wavetree/core/symmetric.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

// A vᵢ = λᵢ vᵢ and Vᵀ V = I, both to rounding; returns the eigenvalues, ascending.
template <int Dim>
std::vector<double> check_decomposition(const double (&matrix)[Dim * Dim]) {
    double a[Dim * Dim], v[Dim * Dim], scale = 0.0;
    std::copy_n(matrix, Dim * Dim, a);
    eigen_symmetric<Dim>(a, v);
    for (double x : matrix) scale = std::max(scale, std::abs(x));
    std::vector<double> values;
    for (int i = 0; i < Dim; ++i) {
        values.push_back(a[i * Dim + i]);
        for (int row = 0; row < Dim; ++row) {
            double product = -values[i] * v[row * Dim + i], gram = row == i ? -1.0 : 0.0;
            for (int k = 0; k < Dim; ++k) {
                product += matrix[row * Dim + k] * v[k * Dim + i];
                gram += v[k * Dim + row] * v[k * Dim + i];
            }
            CHECK(std::abs(product) <= 1e-14 * scale);
            CHECK(std::abs(gram) <= 1e-14);
        }
    }
    std::sort(values.begin(), values.end());
    return values;
}

// Q diag(values) Qᵀ with a random rotation Q, a product of plane ones.
template <int Dim>
void rotate(const std::vector<double>& values, Random& random, double (&out)[Dim * Dim]) {
    double q[Dim * Dim] = {};
    for (int i = 0; i < Dim; ++i) q[i * Dim + i] = 1.0;
    for (int p = 0; p < Dim; ++p)
        for (int r = p + 1; r < Dim; ++r) {
            const double angle = random_values(1, random, 0.0, 6.0)[0], c = std::cos(angle), s = std::sin(angle);
            for (int k = 0; k < Dim; ++k) {
                const double a = q[k * Dim + p], b = q[k * Dim + r];
                q[k * Dim + p] = c * a - s * b, q[k * Dim + r] = s * a + c * b;
            }
        }
    for (int i = 0; i < Dim; ++i)
        for (int j = 0; j < Dim; ++j) {
            out[i * Dim + j] = 0.0;
            for (int k = 0; k < Dim; ++k) out[i * Dim + j] += q[i * Dim + k] * values[k] * q[j * Dim + k];
        }
    for (int i = 0; i < Dim; ++i)
        for (int j = 0; j < i; ++j) out[i * Dim + j] = out[j * Dim + i];
}

template <int Dim>
void check_eigenvalues(std::vector<double> values, Random& random) {
    double matrix[Dim * Dim];
    rotate<Dim>(values, random, matrix);
    const auto found = check_decomposition<Dim>(matrix);
    std::sort(values.begin(), values.end());
    double scale = 0.0;
    for (double value : values) scale = std::max(scale, std::abs(value));
    for (int i = 0; i < Dim; ++i) CHECK(std::abs(found[i] - values[i]) <= 1e-14 * scale);
}

}  // namespace

TEST_CASE("eigenvalues that a symmetric matrix was made from, with orthonormal eigenvectors") {
    Random random(1);
    for (int i = 0; i < 200; ++i) {
        check_eigenvalues<2>(random_values(2, random), random);
        check_eigenvalues<3>(random_values(3, random), random);
    }
}

TEST_CASE("repeated, nearly repeated and widely different eigenvalues") {
    Random random(2);
    for (int i = 0; i < 50; ++i) {
        check_eigenvalues<2>({0.7, 0.7}, random);
        check_eigenvalues<3>({2.0, 2.0, 2.0}, random);
        check_eigenvalues<3>({2.0, 2.0, 5.0}, random);
        check_eigenvalues<3>({-1.0, 3.0, 3.0 + 1e-9}, random);
        check_eigenvalues<3>({1e-12, 1.0, 1e9}, random);
    }
}

TEST_CASE("diagonal and zero matrices are their own decomposition") {
    double a[9] = {3.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 2.0}, v[9];
    eigen_symmetric<3>(a, v);
    CHECK(std::vector<double>(a, a + 9) == std::vector<double>{3.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 2.0});
    CHECK(std::vector<double>(v, v + 9) == std::vector<double>{1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0});
    const double zero[4] = {};
    CHECK(check_decomposition<2>(zero) == std::vector<double>{0.0, 0.0});
}
