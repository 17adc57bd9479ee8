#include "wavetree/solver/simulation.hpp"

#include <cmath>

#include "wavetree/core/errors.hpp"
#include "wavetree/kernels/parallel.hpp"
#include "wavetree/physics/acoustic.hpp"
#include "wavetree/solver/time_step.hpp"

namespace wavetree {

namespace {

// Steps between two looks for NaN.
constexpr Index check_interval = 64;

}  // namespace

// The vectors of one run; several runs may go on at once on the same operators.
template <class Physics, int Dim, class Real>
struct Simulation<Physics, Dim, Real>::State {
    State(const Simulation& sim, double time_step) : dt(time_step) {
        for (auto* x : {&u, &w, &r}) x->assign(static_cast<std::size_t>(sim.stiffness_.size()), Real(0));
        for (auto* x : {&a, &b}) x->assign(static_cast<std::size_t>(sim.n_dofs()), Real(0));
        for (Index i = 0; i < sim.n_dofs(); ++i) {
            if (!sim.free_[i]) continue;  // a = b = 0 holds the field at zero
            const double plus = sim.mass_[i] + 0.5 * dt * sim.damping_[i];
            a[i] = static_cast<Real>((sim.mass_[i] - 0.5 * dt * sim.damping_[i]) / plus);
            b[i] = static_cast<Real>(dt / plus);
        }
    }
    double dt;
    AlignedVector<Real> u, w, r, a, b;
};

template <class Physics, int Dim, class Real>
struct Simulation<Physics, Dim, Real>::Accumulators {
    explicit Accumulators(const Simulation& sim)
        : mass(static_cast<std::size_t>(sim.n_dofs())),
          damping(mass.size()),
          stiffness(static_cast<std::size_t>(sim.stiffness_.gradient_size())),
          field(static_cast<std::size_t>(sim.stiffness_.size())),
          velocity_before(mass.size()) {}
    std::vector<double> mass, damping;  // Σ u_k λ_tt, Σ u_k λ_t per dof
    AlignedVector<Real> stiffness;      // Σ ∂(λᵀ K u_k)
    AlignedVector<Real> field;          // u_k with its copies
    std::vector<Real> velocity_before;
};

template <class Physics, int Dim, class Real>
Simulation<Physics, Dim, Real>::Simulation(const SimulationSetup& setup)
    : geometry_(setup.mesh, setup.order),
      factors_(geometry_),
      map_(make_dof_map(setup.mesh, setup.order)),
      threads_(setup.threads),
      impedance_(impedance_nodes(geometry_, setup.absorbing)),
      stiffness_({Physics::id, Physics::template n_stiffness<Dim>, geometry_, factors_, map_, setup.instruction_set,
                  setup.threads},
                 coefficients(setup).data()) {
    assemble(setup);
}

template <class Physics, int Dim, class Real>
std::vector<double> Simulation<Physics, Dim, Real>::coefficients(const SimulationSetup& setup) const {
    constexpr int n_k = Physics::template n_stiffness<Dim>;
    const Index n = setup.mesh.n_elements * geometry_.n_nodes();
    std::vector<double> result(static_cast<std::size_t>(n * n_k));
    double p[Physics::n_parameters], k[n_k];
    for (Index i = 0; i < n; ++i) {
        for (int j = 0; j < Physics::n_parameters; ++j) p[j] = setup.parameters[j * n + i];
        Physics::stiffness(p, k);
        for (int j = 0; j < n_k; ++j) result[j * n + i] = k[j];
    }
    return result;
}

template <class Physics, int Dim, class Real>
void Simulation<Physics, Dim, Real>::assemble(const SimulationSetup& setup) {
    const Index n = n_elements() * n_nodes();
    parameters_.assign(setup.parameters, setup.parameters + n * Physics::n_parameters);
    if (setup.sponge_rate) sponge_rate_.assign(setup.sponge_rate, setup.sponge_rate + n);
    mass_.assign(static_cast<std::size_t>(n_dofs()), 0.0);
    damping_.assign(mass_.size(), 0.0);
    free_.assign(mass_.size(), 1);
    double p[Physics::n_parameters];
    const auto material = [&](Index i) {
        for (int j = 0; j < Physics::n_parameters; ++j) p[j] = parameters_[j * n + i];
        return p;
    };
    for (Index i = 0; i < n; ++i) {
        const double m = factors_.mass_weights[i] * Physics::mass(material(i));
        mass_[map_.element_dofs[i]] += m;
        if (setup.sponge_rate) damping_[map_.element_dofs[i]] += 2.0 * sponge_rate_[i] * m;
    }
    for (const ImpedanceNode& node : impedance_) {
        const Index i = node.element * n_nodes() + node.node;
        damping_[map_.element_dofs[i]] += node.weight * Physics::impedance(material(i));
    }
    for (Index dof : dirichlet_dofs(geometry_, map_, setup.dirichlet)) free_[dof] = 0;
}

template <class Physics, int Dim, class Real>
std::size_t Simulation<Physics, Dim, Real>::memory_in_bytes() const {
    const std::size_t nodes = parameters_.size() / Physics::n_parameters;
    const std::size_t batches = nodes * (sizeof(Dof) + sizeof(Real) * (1 + Dim * Dim)),
                      setup = nodes * 8 * (Dim * Dim + 2 + Physics::n_parameters);
    return batches + setup + static_cast<std::size_t>(stiffness_.size()) * (5 * sizeof(Real) + 16);
}

template <class Physics, int Dim, class Real>
double Simulation<Physics, Dim, Real>::maximum_time_step() const
    requires(sizeof(Real) == sizeof(double))
{
    const int dim = geometry_.mesh().dim;
    const auto element_coordinates = node_coordinates(geometry_);
    std::vector<double> coordinates(mass_.size() * dim);
    for (std::size_t i = 0; i < map_.element_dofs.size(); ++i)
        for (int d = 0; d < dim; ++d) coordinates[map_.element_dofs[i] * dim + d] = element_coordinates[i * dim + d];
    return 2.0 / std::sqrt(largest_eigenvalue(stiffness_, mass_, free_, coordinates));
}

template <class Physics, int Dim, class Real>
PointOperator Simulation<Physics, Dim, Real>::points(const double* positions, Index n) const {
    return {geometry_.mesh(), map_, geometry_.gll().n() - 1, positions, n};
}

// One time step from r = −F on; leaves r = 0.
template <class Physics, int Dim, class Real>
void Simulation<Physics, Dim, Real>::step(State& state) const {
    stiffness_.apply(state.u.data(), state.r.data());
    const Update<Real> update{state.u.data(), state.w.data(), state.r.data(),
                              state.a.data(), state.b.data(), static_cast<Real>(state.dt)};
    const auto kernel = update_kernel<Real>(stiffness_.kernel_set());
    parallel_ranges(threads_, n_dofs(), [&](Index begin, Index end) { kernel(update, begin, end); });
    stiffness_.spread(state.u.data());
}

template <class Physics, int Dim, class Real>
void Simulation<Physics, Dim, Real>::check_finite(const State& state, Index n) const {
    Real sum = 0;  // zero unless some value is NaN or infinite
    for (Index i = 0; i < n_dofs(); ++i) sum += state.w[i] * Real(0);
    if (std::isfinite(sum)) return;
    throw Unstable("the wavefield is no longer finite at time step " + std::to_string(n) +
                   "; likely the time step is too large for the model or a source amplitude overflows");
}

template <class Physics, int Dim, class Real>
void Simulation<Physics, Dim, Real>::forward(const TimeLoop& time, const Forward& run, Watch& watch) const {
    State state(*this, time.dt);
    if (run.initial_field) std::copy(run.initial_field, run.initial_field + n_dofs(), state.u.begin());
    if (run.initial_velocity) std::copy(run.initial_velocity, run.initial_velocity + n_dofs(), state.w.begin());
    stiffness_.spread(state.u.data());
    std::vector<double> values(static_cast<std::size_t>(std::max(run.sources->n_points(), run.receivers->n_points())));
    for (Index n = 0; n <= time.n_steps; ++n) {
        run.receivers->sample(state.u.data(), values.data());
        for (Index p = 0; p < run.receivers->n_points(); ++p) run.records[p * (time.n_steps + 1) + n] = values[p];
        if (const Index row = run.store ? run.store->find(n) : -1; row >= 0)
            std::copy_n(state.u.begin(), n_dofs(), run.store->row(row));
        if (n % check_interval == 0 || n == time.n_steps) check_finite(state, n);
        if (n == time.n_steps) break;
        for (Index p = 0; p < run.sources->n_points(); ++p) values[p] = run.source_time_functions[p * time.n_steps + n];
        run.sources->inject(-1.0, values.data(), state.r.data());
        step(state);
        watch.step(static_cast<double>(n) / static_cast<double>(time.n_steps));
    }
    if (run.final_field) std::copy_n(state.u.begin(), n_dofs(), run.final_field);
}

// Adjoint of step k of (1): λ_k is known, the adjoint velocity before and after the step gives λ_t and
// λ_tt by the very differences of the scheme. Summation by parts over time moves the differences of the
// forward field onto λ without remainder, since u_0 = u_{−1} = 0 and λ_N = λ_{N+1} = 0, so one snapshot
// u_k is all that is needed:
//
//     dχ/dm = −Σ_k [ u_k ∂M λ_tt + u_k ∂C λ_t + ∂(λ_kᵀ K u_k) ].                                     (2)
template <class Physics, int Dim, class Real>
void Simulation<Physics, Dim, Real>::adjoint(const TimeLoop& time, const Adjoint& run, Watch& watch) const {
    State state(*this, time.dt);
    Accumulators sums(*this);
    std::vector<double> values(static_cast<std::size_t>(run.receivers->n_points()));
    for (Index k = time.n_steps; k > 0; --k) {
        for (Index p = 0; p < run.receivers->n_points(); ++p)
            values[p] = run.adjoint_sources[p * (time.n_steps + 1) + k];
        run.receivers->inject(-time.dt, values.data(), state.r.data());
        const Index row = run.store->find(k);
        if (row >= 0) {
            const double weight = run.store->weights[row];
            std::copy_n(run.store->row(row), n_dofs(), sums.field.begin());
            stiffness_.spread(sums.field.data());
            stiffness_.accumulate(static_cast<Real>(weight), sums.field.data(), state.u.data(), sums.stiffness.data());
            std::copy_n(state.w.begin(), n_dofs(), sums.velocity_before.begin());
        }
        step(state);
        if (row >= 0) accumulate(state, run.store->weights[row], sums.field.data(), sums);
        if (k % check_interval == 1) check_finite(state, k);
        watch.step(1.0 - static_cast<double>(k) / static_cast<double>(time.n_steps));
    }
    chain(sums, run.gradient);
}

template <class Physics, int Dim, class Real>
void Simulation<Physics, Dim, Real>::accumulate(const State& state, double weight, const Real* u,
                                                Accumulators& sums) const {
    const double by_mass = weight / state.dt, by_damping = 0.5 * weight;
    parallel_ranges(threads_, n_dofs(), [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i) {
            const double before = sums.velocity_before[i], after = state.w[i], field = u[i];
            sums.mass[i] += by_mass * field * (after - before);
            sums.damping[i] += by_damping * field * (after + before);
        }
    });
}

template <class Physics, int Dim, class Real>
void Simulation<Physics, Dim, Real>::chain(const Accumulators& sums, double* gradient) const {
    constexpr int n_k = Physics::template n_stiffness<Dim>, n_p = Physics::n_parameters;
    const Index n = n_elements() * n_nodes();
    std::vector<double> by_stiffness(static_cast<std::size_t>(n * n_k)), by_impedance(static_cast<std::size_t>(n));
    stiffness_.add_gradient(factors_, sums.stiffness.data(), by_stiffness.data());
    for (const ImpedanceNode& node : impedance_) {
        const Index i = node.element * n_nodes() + node.node;
        by_impedance[i] -= node.weight * sums.damping[map_.element_dofs[i]];
    }
    double p[n_p], g[n_p], k[n_k];
    for (Index i = 0; i < n; ++i) {
        const Index dof = map_.element_dofs[i];
        const double damping = sponge_rate_.empty() ? 0.0 : 2.0 * sponge_rate_[i] * sums.damping[dof];
        for (int j = 0; j < n_p; ++j) p[j] = parameters_[j * n + i], g[j] = 0.0;
        for (int j = 0; j < n_k; ++j) k[j] = -by_stiffness[j * n + i];
        Physics::chain(p, -factors_.mass_weights[i] * (sums.mass[dof] + damping), k, by_impedance[i], g);
        for (int j = 0; j < n_p; ++j) gradient[j * n + i] = g[j];
    }
}

template class Simulation<Acoustic, 2, float>;
template class Simulation<Acoustic, 2, double>;

}  // namespace wavetree
