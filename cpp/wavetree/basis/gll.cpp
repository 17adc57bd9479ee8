#include "wavetree/basis/gll.hpp"

#include <cmath>
#include <numbers>
#include <string>

#include "wavetree/core/errors.hpp"

namespace wavetree {

namespace {

// Legendre polynomial P_N and its derivative by the three-term recurrence.
struct Legendre {
    double value;
    double derivative;
};

Legendre legendre(int order, double x) {
    double p0 = 1.0, p1 = x, d0 = 0.0, d1 = 1.0;
    for (int k = 2; k <= order; ++k) {
        const double p2 = ((2 * k - 1) * x * p1 - (k - 1) * p0) / k;
        const double d2 = d0 + (2 * k - 1) * p1;
        p0 = p1, p1 = p2, d0 = d1, d1 = d2;
    }
    return {p1, d1};
}

}  // namespace

Gll::Gll(int order) {
    if (order < 1 || order > max_order)
        throw InputError("order is " + std::to_string(order) + "; expected 1 to " + std::to_string(max_order));
    const int n = order + 1;
    points.resize(n);
    weights.resize(n);
    for (int i = 0; i < n; ++i) {
        // Interior points are the zeros of P_N'. Newton from the Chebyshev-Lobatto points; with
        // (1 - x²) P_N'' = 2 x P_N' - N (N + 1) P_N no second derivative has to be evaluated.
        double x = -std::cos(std::numbers::pi * i / order);
        if (i > 0 && i < order) {
            for (int it = 0; it < 50; ++it) {
                const auto [p, d] = legendre(order, x);
                const double step = d * (1 - x * x) / (2 * x * d - order * (order + 1) * p);
                x -= step;
                if (std::abs(step) < 1e-16) break;
            }
        }
        points[i] = x;
    }
    for (int i = 0; i < n / 2; ++i) points[n - 1 - i] = -points[i];  // symmetric to the last bit
    if (n % 2 == 1) points[n / 2] = 0.0;
    for (int i = 0; i < n; ++i) {
        const double p = legendre(order, points[i]).value;
        weights[i] = 2.0 / (order * (order + 1) * p * p);
    }
    D.resize(static_cast<std::size_t>(n) * n);
    for (int i = 0; i < n; ++i) lagrange_derivative(points, points[i], &D[static_cast<std::size_t>(i) * n]);
}

void lagrange(const std::vector<double>& nodes, double x, double* out) {
    const std::size_t n = nodes.size();
    for (std::size_t j = 0; j < n; ++j) {
        out[j] = 1.0;
        for (std::size_t k = 0; k < n; ++k)
            if (k != j) out[j] *= (x - nodes[k]) / (nodes[j] - nodes[k]);
    }
}

void lagrange_derivative(const std::vector<double>& nodes, double x, double* out) {
    const std::size_t n = nodes.size();
    for (std::size_t j = 0; j < n; ++j) {
        out[j] = 0.0;
        for (std::size_t m = 0; m < n; ++m) {
            if (m == j) continue;
            double term = 1.0 / (nodes[j] - nodes[m]);
            for (std::size_t k = 0; k < n; ++k)
                if (k != j && k != m) term *= (x - nodes[k]) / (nodes[j] - nodes[k]);
            out[j] += term;
        }
    }
}

void lagrange_second_derivative(const std::vector<double>& nodes, double x, double* out) {
    const std::size_t n = nodes.size();
    for (std::size_t j = 0; j < n; ++j) {
        out[j] = 0.0;
        for (std::size_t m = 0; m < n; ++m)
            for (std::size_t p = 0; p < m; ++p) {
                if (m == j || p == j) continue;
                double term = 2.0 / ((nodes[j] - nodes[m]) * (nodes[j] - nodes[p]));
                for (std::size_t k = 0; k < n; ++k)
                    if (k != j && k != m && k != p) term *= (x - nodes[k]) / (nodes[j] - nodes[k]);
                out[j] += term;
            }
    }
}

}  // namespace wavetree
