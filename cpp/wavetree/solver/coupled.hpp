// The operator of a fluid and a solid that touch, for its largest eigenvalue.
#pragma once

#include "wavetree/operators/coupling.hpp"
#include "wavetree/solver/medium.hpp"
#include "wavetree/solver/time_step.hpp"

namespace wavetree {

// With φ_tt substituted, the two media are x_tt = −L x for x = (φ, u), with
//
//     L x = (a, M_s⁻¹ (K_s u + B a)),   a = M_f⁻¹ (K_f φ + Bᵀ u),
//
// symmetric in diag(K_f, M_s).
class CoupledProblem {
  public:
    CoupledProblem(const Medium<double>& fluid, const Medium<double>& solid, const Coupling& coupling);

    // Refers to this object.
    EigenProblem problem();

    // Holds all wavelengths, with the same norm in both parts, whatever their units.
    EigenProblem::Vector start();

  private:
    using Vector = EigenProblem::Vector;
    void apply(const Vector& x, Vector& out);
    void weigh(const Vector& x, Vector& out);
    void split(const Vector& x);
    void join(const Vector& phi, const Vector& u, Vector& out) const;

    const Medium<double>&fluid_, &solid_;
    const Coupling& coupling_;
    Vector phi_, u_, a_, b_;
};

}  // namespace wavetree
