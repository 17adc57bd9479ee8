// Gauss-Lobatto-Legendre points and Lagrange interpolation on [-1, 1].
#pragma once

#include <vector>

namespace wavetree {

inline constexpr int max_order = 8;

// Points, weights and derivative matrix of one polynomial order; `order + 1` points.
struct Gll {
    explicit Gll(int order);
    int n() const { return static_cast<int>(points.size()); }

    std::vector<double> points;   // ascending
    std::vector<double> weights;  // exact for polynomials of degree 2 order - 1
    std::vector<double> D;        // D[i * n + j] = l_j'(points[i])
};

// Values of the Lagrange polynomials through `nodes` at x: out[j] = l_j(x).
void lagrange(const std::vector<double>& nodes, double x, double* out);

// Their derivatives: out[j] = l_j'(x).
void lagrange_derivative(const std::vector<double>& nodes, double x, double* out);

// Their second derivatives: out[j] = l_j''(x).
void lagrange_second_derivative(const std::vector<double>& nodes, double x, double* out);

}  // namespace wavetree
