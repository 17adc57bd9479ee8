// Smoothing by diffusion over unit pseudo-time.
#pragma once

#include <string>
#include <vector>

#include "wavetree/operators/stiffness.hpp"

namespace wavetree {

struct DiffusionSetup {
    Mesh mesh;
    int order = 4;
    // Upper triangle of the diffusion tensor R diag(σ²) Rᵀ / 2: (dim (dim + 1) / 2, n_elements, n_nodes) [m²]
    const double* tensor = nullptr;
    std::string instruction_set;
    int threads = 1;
    // As of `MeshSetup`: elements of other ranks that touch those of the mesh stand behind these.
    const Ranks* ranks = nullptr;
    Ghosts ghosts{};
};

// S = R R with R = p(A), A = G⁻¹K, p the Chebyshev polynomial that is nearest to exp(−x/2) on the
// spectrum, scaled to p(0) = 1. A polynomial in A is self-adjoint in G, keeps constants (A 1 = 0) and
// integrals (1ᵀ G A = 0); being a square, S is positive semidefinite. The degree follows from the
// spectrum alone, so the operator is the same on every run.
class DiffusionOperator {
  public:
    explicit DiffusionOperator(const DiffusionSetup& setup);

    Index n_dofs() const { return map_.n_dofs; }
    Index n_nodes() const { return geometry_.n_nodes(); }                         // of an element
    const std::vector<Index>& element_dofs() const { return map_.element_dofs; }  // (n_elements, n_nodes)
    int degree() const { return static_cast<int>(chebyshev_.size()) - 1; }        // of R

    // values (n_dofs), overwritten by S values; every rank must call it, with the same at dofs that ranks share.
    void apply(double* values) const;

  private:
    DofMap number_dofs(const DiffusionSetup& setup);
    void assemble();
    void apply_root(AlignedVector<double>& x) const;

    Geometry geometry_;
    Factors factors_;
    Halo halo_;
    DofMap map_;
    std::vector<double> mass_;  // by place
    Stiffness<double> stiffness_;
    double largest_ = 0.0;  // upper end of the spectrum of A
    std::vector<double> chebyshev_;
};

}  // namespace wavetree
