// Symmetric matrices of two or three rows.
#pragma once

#include <cmath>

namespace wavetree {

// Eigenvalues and orthonormal eigenvectors (columns of `vectors`) of a symmetric Dim × Dim matrix by
// Jacobi rotations; `a` is overwritten, its diagonal ends as the eigenvalues.
template <int Dim>
void eigen_symmetric(double (&a)[Dim * Dim], double (&vectors)[Dim * Dim]) {
    for (int i = 0; i < Dim * Dim; ++i) vectors[i] = i % (Dim + 1) == 0 ? 1.0 : 0.0;
    double scale = 0.0;
    for (double x : a) scale += std::abs(x);
    for (int sweep = 0; sweep < 30; ++sweep) {
        double off = 0.0;
        for (int p = 0; p < Dim; ++p)
            for (int q = p + 1; q < Dim; ++q) {
                const double apq = a[p * Dim + q];
                off += std::abs(apq);
                if (apq == 0.0) continue;
                const double theta = (a[q * Dim + q] - a[p * Dim + p]) / (2.0 * apq);
                const double t = (theta >= 0.0 ? 1.0 : -1.0) / (std::abs(theta) + std::sqrt(theta * theta + 1.0));
                const double c = 1.0 / std::sqrt(t * t + 1.0), s = t * c;
                for (int k = 0; k < Dim; ++k) {
                    const double kp = a[k * Dim + p], kq = a[k * Dim + q];
                    a[k * Dim + p] = c * kp - s * kq, a[k * Dim + q] = s * kp + c * kq;
                }
                for (int k = 0; k < Dim; ++k) {
                    const double pk = a[p * Dim + k], qk = a[q * Dim + k];
                    a[p * Dim + k] = c * pk - s * qk, a[q * Dim + k] = s * pk + c * qk;
                }
                for (int k = 0; k < Dim; ++k) {
                    const double kp = vectors[k * Dim + p], kq = vectors[k * Dim + q];
                    vectors[k * Dim + p] = c * kp - s * kq, vectors[k * Dim + q] = s * kp + c * kq;
                }
            }
        if (off <= 1e-17 * scale) break;
    }
}

}  // namespace wavetree
