#include "wavetree/solver/coupled.hpp"

#include <algorithm>
#include <cmath>

namespace wavetree {

namespace {

using Vector = EigenProblem::Vector;

void apply_stiffness(const Medium<double>& medium, Vector& x, Vector& out) {
    medium.stiffness().spread(x.data());
    std::fill(out.begin(), out.end(), 0.0);
    medium.stiffness().apply(x.data(), out.data());
}

void divide_by_mass(const Medium<double>& medium, Vector& x) {
    const Index n = medium.n_components();
    for (Index i = 0; i < medium.n_values(); ++i) x[i] = medium.free()[i / n] ? x[i] / medium.mass()[i / n] : 0.0;
}

}  // namespace

CoupledProblem::CoupledProblem(const Medium<double>& fluid, const Medium<double>& solid, const Coupling& coupling)
    : fluid_(fluid),
      solid_(solid),
      coupling_(coupling),
      phi_(static_cast<std::size_t>(fluid.stiffness().size())),
      u_(static_cast<std::size_t>(solid.stiffness().size())),
      a_(phi_.size()),
      b_(u_.size()) {}

EigenProblem CoupledProblem::problem() {
    return {[this](Vector& x, Vector& out) { apply(x, out); }, [this](Vector& x, Vector& out) { weigh(x, out); }};
}

void CoupledProblem::split(const Vector& x) {
    std::copy_n(x.begin(), phi_.size(), phi_.begin());
    std::copy_n(x.data() + phi_.size(), u_.size(), u_.begin());
}

void CoupledProblem::join(const Vector& phi, const Vector& u, Vector& out) const {
    std::copy(u.begin(), u.end(), std::copy(phi.begin(), phi.end(), out.begin()));
}

void CoupledProblem::apply(const Vector& x, Vector& out) {
    split(x);
    const int dim = solid_.n_components();
    apply_stiffness(fluid_, phi_, a_);
    coupling_.to_fluid(1.0, [&](Index dof, int d) { return u_[dof * dim + d]; }, a_.data());
    divide_by_mass(fluid_, a_);
    apply_stiffness(solid_, u_, b_);
    coupling_.to_solid(1.0, [&](Index dof) { return a_[dof]; }, b_.data());
    divide_by_mass(solid_, b_);
    join(a_, b_, out);
}

void CoupledProblem::weigh(const Vector& x, Vector& out) {
    split(x);
    apply_stiffness(fluid_, phi_, a_);
    const Index n = solid_.n_components();
    for (Index i = 0; i < solid_.n_values(); ++i) b_[i] = solid_.mass()[i / n] * u_[i];
    join(a_, b_, out);
}

Vector CoupledProblem::start() {
    Vector start(phi_.size() + u_.size()), weighted(start.size());
    join(rough_field(fluid_.stiffness(), fluid_.free(), fluid_.coordinates()),
         rough_field(solid_.stiffness(), solid_.free(), solid_.coordinates()), start);
    weigh(start, weighted);
    double norms[2] = {};
    for (std::size_t i = 0; i < start.size(); ++i) norms[i >= phi_.size()] += start[i] * weighted[i];
    for (std::size_t i = 0; i < start.size(); ++i) start[i] /= std::sqrt(norms[i >= phi_.size()]);
    return start;
}

}  // namespace wavetree
