// Small dense matrices, row by row.
#pragma once

#include <functional>
#include <vector>

namespace wavetree::tests {

struct Dense {
    std::size_t rows, columns;
    std::vector<double> values = std::vector<double>(rows * columns);

    double& operator()(std::size_t i, std::size_t j) { return values[i * columns + j]; }
    double operator()(std::size_t i, std::size_t j) const { return values[i * columns + j]; }
};

// Column by column from a linear map of vectors.
Dense assemble(std::size_t rows, std::size_t columns,
               const std::function<std::vector<double>(const std::vector<double>&)>& map);

Dense transpose(const Dense& a);
Dense operator*(const Dense& a, const Dense& b);

// Eigenvalues and orthonormal eigenvectors (columns) of a symmetric matrix, by Jacobi rotations.
struct Spectrum {
    std::vector<double> values;
    Dense vectors;
};
Spectrum spectrum(Dense a);

double largest(const std::vector<double>& values);

}  // namespace wavetree::tests
