#include "dense.hpp"

#include <algorithm>
#include <cmath>

namespace wavetree::tests {

Dense assemble(std::size_t rows, std::size_t columns,
               const std::function<std::vector<double>(const std::vector<double>&)>& map) {
    Dense a{rows, columns};
    for (std::size_t j = 0; j < columns; ++j) {
        std::vector<double> unit(columns);
        unit[j] = 1.0;
        const auto column = map(unit);
        for (std::size_t i = 0; i < rows; ++i) a(i, j) = column[i];
    }
    return a;
}

Dense transpose(const Dense& a) {
    Dense t{a.columns, a.rows};
    for (std::size_t i = 0; i < a.rows; ++i)
        for (std::size_t j = 0; j < a.columns; ++j) t(j, i) = a(i, j);
    return t;
}

Dense operator*(const Dense& a, const Dense& b) {
    Dense c{a.rows, b.columns};
    for (std::size_t i = 0; i < a.rows; ++i)
        for (std::size_t k = 0; k < a.columns; ++k)
            for (std::size_t j = 0; j < b.columns; ++j) c(i, j) += a(i, k) * b(k, j);
    return c;
}

Spectrum spectrum(Dense a) {
    const std::size_t n = a.rows;
    Dense v{n, n};
    for (std::size_t i = 0; i < n; ++i) v(i, i) = 1.0;
    double scale = 0.0, off = 1.0;
    for (double x : a.values) scale = std::max(scale, std::abs(x));
    while (off > 1e-15 * scale) {
        off = 0.0;
        for (std::size_t p = 0; p < n; ++p)
            for (std::size_t q = p + 1; q < n; ++q) {
                off = std::max(off, std::abs(a(p, q)));
                if (std::abs(a(p, q)) <= 1e-16 * scale) continue;
                const double angle = 0.5 * std::atan(2.0 * a(p, q) / (a(q, q) - a(p, p)));
                const double c = std::cos(angle), s = std::sin(angle);
                const auto turn = [&](double& x, double& y) {
                    const double old = x;
                    x = c * old - s * y, y = s * old + c * y;
                };
                for (std::size_t k = 0; k < n; ++k) turn(a(k, p), a(k, q));
                for (std::size_t k = 0; k < n; ++k) turn(a(p, k), a(q, k)), turn(v(k, p), v(k, q));
            }
    }
    Spectrum result{{}, v};
    for (std::size_t i = 0; i < n; ++i) result.values.push_back(a(i, i));
    return result;
}

double largest(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }

}  // namespace wavetree::tests
