#include "wavetree/solver/coupled.hpp"

#include <algorithm>
#include <cmath>

namespace wavetree {

namespace {

using Vector = EigenProblem::Vector;

using Moment = Stiffness<double>::Moment;

void apply_stiffness(const Medium<double>& medium, Vector& x, Vector& out) {
    medium.stiffness().spread(x.data());
    medium.stiffness().apply(x.data(), out.data());
}

// Adds to values of `out` by dof and component, see `Stiffness::add`.
auto adder(const Medium<double>& medium, Vector& out, Moment moment) {
    return [&medium, &out, moment](Index dof, int c, double amount) {
        medium.stiffness().add(out.data(), medium.stiffness().value(dof, c), amount, moment);
    };
}

// f(place, value)
template <class F>
void for_values(const Medium<double>& medium, F&& f) {
    for (int c = 0; c < medium.n_components(); ++c)
        for (Index p = 0; p < medium.n_places(); ++p) f(p, medium.stiffness().value_at(p, c));
}

void divide_by_mass(const Medium<double>& medium, Vector& x) {
    for_values(medium, [&](Index p, Index i) { x[i] = medium.free()[p] ? x[i] / medium.mass()[p] : 0.0; });
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
    return {[this](Vector& x, Vector& out) { apply(x, out); }, [this](Vector& x, Vector& out) { weigh(x, out); },
            fluid_.ranks()};
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
    const auto couple_fluid = [&](Moment moment) {
        coupling_.to_fluid(
            1.0, [&](Index dof, int d) { return u_[solid_.stiffness().value(dof, d)]; }, adder(fluid_, a_, moment));
    };
    const auto couple_solid = [&](Moment moment) {
        coupling_.to_solid(
            1.0, [&](Index dof) { return a_[fluid_.stiffness().value(dof, 0)]; }, adder(solid_, b_, moment));
    };
    std::fill(a_.begin(), a_.end(), 0.0), std::fill(b_.begin(), b_.end(), 0.0);
    couple_fluid(Moment::before);
    apply_stiffness(fluid_, phi_, a_);
    couple_fluid(Moment::after);
    divide_by_mass(fluid_, a_);
    couple_solid(Moment::before);
    apply_stiffness(solid_, u_, b_);
    couple_solid(Moment::after);
    divide_by_mass(solid_, b_);
    join(a_, b_, out);
}

void CoupledProblem::weigh(const Vector& x, Vector& out) {
    split(x);
    std::fill(a_.begin(), a_.end(), 0.0), std::fill(b_.begin(), b_.end(), 0.0);
    apply_stiffness(fluid_, phi_, a_);
    for_values(fluid_, [&](Index p, Index i) { a_[i] = fluid_.owned()[p] ? a_[i] : 0.0; });
    for_values(solid_, [&](Index p, Index i) { b_[i] = solid_.owned()[p] ? solid_.mass()[p] * u_[i] : 0.0; });
    join(a_, b_, out);
}

Vector CoupledProblem::start() {
    Vector start(phi_.size() + u_.size()), weighted(start.size());
    const auto rough = [](const Medium<double>& medium) {
        return rough_field(medium.stiffness(), medium.free(), medium.coordinates(), medium.ranks());
    };
    const Vector phi = rough(fluid_);  // first, on every rank
    join(phi, rough(solid_), start);
    weigh(start, weighted);
    double norms[2] = {};
    for (std::size_t i = 0; i < start.size(); ++i) norms[i >= phi_.size()] += start[i] * weighted[i];
    if (fluid_.ranks()) fluid_.ranks()->sum(norms, 2);
    for (std::size_t i = 0; i < start.size(); ++i) start[i] /= std::sqrt(norms[i >= phi_.size()]);
    return start;
}

}  // namespace wavetree
