#include "wavetree/solver/simulation.hpp"

#include <cmath>
#include <sstream>

#include "wavetree/core/errors.hpp"
#include "wavetree/kernels/parallel.hpp"
#include "wavetree/solver/coupled.hpp"
#include "wavetree/solver/time_step.hpp"

namespace wavetree {

namespace {

// Steps between two looks at the field.
constexpr Index check_interval = 64;
// After the source the energy E of a stable run does not grow. What is watched lies between E and
// (1 + 2 / (1 − (dt/dt_max)²)) E, close to the lower end in all but the shortest waves of the mesh.
constexpr double tolerated_growth = 10.0;

bool is_fluid(const MediumSetup& medium) { return medium.physics == "acoustic"; }

// K x, and what `add`(result, moment) adds to it.
template <class Real, class Add>
AlignedVector<Real> product(const Medium<Real>& medium, AlignedVector<Real> x, Add&& add) {
    using Moment = Stiffness<Real>::Moment;
    AlignedVector<Real> result(x.size());
    medium.stiffness().spread(x.data());
    add(result, Moment::before);
    medium.stiffness().apply(x.data(), result.data());
    add(result, Moment::after);
    return result;
}

// f(place, value) for all values of a medium.
template <class Real, class F>
void for_values(const Medium<Real>& medium, F&& f) {
    for (int c = 0; c < medium.n_components(); ++c)
        for (Index p = 0; p < medium.n_places(); ++p) {
            const Index first = medium.stiffness().value_at(p, c);
            for (Index i = first; i < first + medium.n_fields(); ++i) f(p, i);
        }
}

}  // namespace

template <class Real>
Simulation<Real>::Simulation(const MeshSetup& mesh, const std::vector<MediumSetup>& media)
    : mesh_(mesh.mesh), ranks_(mesh.ranks), coupling_(mesh.mesh.dim) {
    if (media.empty() || media.size() > 2 || (media.size() == 2 && (!is_fluid(media[0]) || is_fluid(media[1]))))
        throw InputError("expected one medium, or a fluid and a solid in this order");
    if (media.size() > 1 && mesh.lanes == Lanes::events)
        throw InputError("a fluid and a solid were given; several events at a time need one medium");
    Mesh with_ghosts = mesh_;
    with_ghosts.n_elements += static_cast<Index>(mesh.ghosts.rank.size());
    const DofMap map = make_dof_map(with_ghosts, mesh.order);
    for (const MediumSetup& setup : media) media_.push_back(std::make_unique<Medium<Real>>(mesh, setup, map));
    if (media.size() < 2) return;
    std::vector<char> solid(static_cast<std::size_t>(mesh_.n_elements), 0);
    for (Index e : media[1].elements) solid[e] = 1;
    coupling_ = Coupling(Geometry(mesh_, mesh.order), map, interface_sides(mesh_, solid), media_[0]->number(),
                         media_[1]->number());
    media_[0]->hold(coupling_.fluid_dofs());
    media_[1]->hold(coupling_.solid_dofs());
}

template <class Real>
Index Simulation<Real>::n_values() const {
    Index n = 0;
    for (const auto& medium : media_) n += medium->n_values();
    return n;
}

template <class Real>
std::size_t Simulation<Real>::memory_in_bytes() const {
    std::size_t bytes = 0;
    for (const auto& medium : media_) bytes += medium->memory_in_bytes();
    return bytes;
}

template <class Real>
double Simulation<Real>::maximum_time_step() const
    requires(sizeof(Real) == sizeof(double))
{
    double largest = 0.0;
    if (!any_rank(!coupling_.empty())) {
        for (const auto& medium : media_) {
            const auto problem =
                stiffness_problem(medium->stiffness(), {medium->mass(), medium->free(), medium->owned()}, ranks_);
            const auto start = rough_field(medium->stiffness(), medium->free(), medium->coordinates(), ranks_);
            largest = std::max(largest, largest_eigenvalue(problem, start));
        }
    } else {
        CoupledProblem coupled(*media_[0], *media_[1], coupling_);
        largest = largest_eigenvalue(coupled.problem(), coupled.start());
    }
    return 2.0 / std::sqrt(largest);
}

template <class Real>
typename Simulation<Real>::State Simulation<Real>::start(double dt, Index step) const {
    State state;
    state.step = step;
    for (const auto& medium : media_) {
        state.fields.push_back(medium->rest());
        state.schemes.push_back(medium->scheme(dt));
    }
    return state;
}

template <class Real>
typename Simulation<Real>::State Simulation<Real>::start_adjoint(double dt, Index n_steps) const {
    State state = start(dt, n_steps);
    for (const auto& medium : media_) state.sums.push_back(medium->sums());
    return state;
}

template <class Real>
void Simulation<Real>::couple(State& state, std::size_t m, bool first, Moment moment) const {
    const Medium<Real>& from = *media_[1 - m];
    const Stiffness<Real>& to = media_[m]->stiffness();
    const auto value = [&](Index dof, int c) -> double {
        return first ? state.fields[1 - m].u[from.stiffness().value(dof, c)]
                     : from.held_acceleration(state.fields[1 - m], state.schemes[1 - m], dof, c);
    };
    const double sign = first ? 1.0 : -1.0;
    const auto add = [&](Index dof, int c, double amount) {
        to.add(state.fields[m].z.data(), to.value(dof, c), amount, moment);
    };
    if (m == 0)
        coupling_.to_fluid(sign, value, add);
    else
        coupling_.to_solid(sign, [&](Index dof) { return value(dof, 0); }, add);
}

template <class Real>
void Simulation<Real>::force(State& state, std::size_t m, const std::vector<Sources>& sources, Index stride,
                             Moment moment) const {
    for (std::size_t k = m; k < sources.size(); k += media_.size())
        for (Index row = 0; row < sources[k].points->n_rows(); ++row)
            sources[k].points->inject(row, sources[k].samples[row * stride + state.step], [&](Index i, double force) {
                media_[m]->add_force(state.fields[m], state.schemes[m], i, force, moment);
            });
}

template <class Real>
void Simulation<Real>::step(State& state, Direction direction, const std::vector<Sources>& sources,
                            Index stride) const {
    for (std::size_t i = 0; i < media_.size(); ++i) {
        const std::size_t m = direction == Direction::forward ? i : media_.size() - 1 - i;
        const auto add = [&](Moment moment) {
            force(state, m, sources, stride, moment);
            if (!coupling_.empty()) couple(state, m, i == 0, moment);
        };
        if (ranks_) add(Moment::before);
        media_[m]->sweep(state.fields[m], state.schemes[m]);
        add(Moment::after);
        media_[m]->damp_boundary(state.fields[m], state.schemes[m]);
    }
    for (std::size_t m = 0; m < media_.size(); ++m) media_[m]->finish(state.fields[m], state.schemes[m]);
}

template <class Real>
typename Simulation<Real>::Energy Simulation<Real>::energy(const State& state) const {
    double parts[2] = {0.0, 0.0};
    std::vector<AlignedVector<Real>> before;  // u_{n−1}
    for (std::size_t m = 0; m < media_.size(); ++m) {
        before.push_back(state.fields[m].u);
        for_values(*media_[m], [&](Index p, Index i) { before[m][i] += state.schemes[m].b[p] * state.fields[m].z[i]; });
    }
    const bool coupled = any_rank(!coupling_.empty());
    for (std::size_t m = 0; m < media_.size(); ++m) {
        const Energy of = m == 0 && coupled ? coupled_energy(state, before) : medium_energy(state, m, before[m]);
        parts[0] += of.kinetic, parts[1] += of.potential;
    }
    if (ranks_) ranks_->sum(parts, 2);
    return {parts[0], parts[1]};
}

// Of this rank.
template <class Real>
typename Simulation<Real>::Energy Simulation<Real>::medium_energy(const State& state, std::size_t m,
                                                                  const AlignedVector<Real>& before) const {
    const Medium<Real>& medium = *media_[m];
    Energy sum{0.0, 0.0};
    const auto now = product(medium, state.fields[m].u, [](AlignedVector<Real>&, Moment) {});
    for_values(medium, [&](Index p, Index i) {
        if (!medium.owned()[p]) return;
        const double w = medium.velocity(state.fields[m], state.schemes[m], p, i);
        sum.kinetic += 0.5 * medium.mass()[p] * w * w;
        sum.potential += 0.5 * static_cast<double>(before[i]) * now[i];
    });
    return sum;
}

// Of this rank and a fluid that touches a solid.
template <class Real>
typename Simulation<Real>::Energy Simulation<Real>::coupled_energy(
    const State& state, const std::vector<AlignedVector<Real>>& before) const {
    const Medium<Real>& medium = *media_[0];
    const Stiffness<Real>&fluid = medium.stiffness(), &solid = media_[1]->stiffness();
    Energy sum{0.0, 0.0};
    const auto coupling_to = [&](const AlignedVector<Real>& u) {
        return [&](AlignedVector<Real>& r, Moment moment) {
            coupling_.to_fluid(
                1.0, [&](Index dof, int d) { return u[solid.value(dof, d)]; },
                [&](Index dof, int c, double amount) { fluid.add(r.data(), fluid.value(dof, c), amount, moment); });
        };
    };
    auto w = state.fields[0].z;
    for_values(medium, [&](Index p, Index i) {
        w[i] = static_cast<Real>(medium.velocity(state.fields[0], state.schemes[0], p, i));
    });
    const auto now = product(medium, state.fields[0].u, coupling_to(state.fields[1].u));
    const auto then = product(medium, before[0], coupling_to(before[1]));
    const auto by_velocity = product(medium, w, [](AlignedVector<Real>&, Moment) {});
    for_values(medium, [&](Index p, Index i) {
        if (!medium.owned()[p]) return;
        sum.kinetic += 0.5 * static_cast<double>(w[i]) * by_velocity[i];
        if (medium.free()[p]) sum.potential += 0.5 * then[i] / medium.mass()[p] * now[i];
    });
    return sum;
}

// On all ranks with the place of the largest value of all.
template <class Real>
void Simulation<Real>::fail(const State& state, const std::string& what) const {
    const auto [m, value] = state.largest;
    double x[3] = {0.0, 0.0, 0.0}, size = value < 0 ? -1.0 : state.largest_size, chosen = -1.0;
    if (ranks_) {
        double largest = size;
        ranks_->max(&largest, 1);
        if (size == largest) chosen = ranks_->rank();
        ranks_->max(&chosen, 1);
    }
    const bool here = !ranks_ || chosen == ranks_->rank();
    const Index place = value < 0 ? 0 : media_[m]->stiffness().place_of(value);
    if (here && media_[m]->n_places() > 0) std::copy_n(&media_[m]->coordinates()[place * mesh_.dim], mesh_.dim, x);
    if (ranks_) ranks_->sum(x, 3);
    std::ostringstream text;
    text << what << " at time step " << state.step << ", most of all at (" << x[0];
    for (int d = 1; d < mesh_.dim; ++d) text << ", " << x[d];
    text << ") m; likely the time step is too large for the model there, or a source amplitude overflows";
    throw Unstable(text.str());
}

// The largest velocity, or the first that is not finite where there was none before.
template <class Real>
void Simulation<Real>::find_largest(State& state, bool& finite) const {
    Place largest{};
    double largest_size = 0.0;
    for (std::size_t m = 0; m < media_.size(); ++m) {
        // Media compare by energy: in the shortest waves, which fail first, φ_tt is about 2 φ_t / dt.
        const double unit =
            std::sqrt(media_[m]->mean_mass()) * (m == 0 && media_.size() > 1 ? 2.0 / state.schemes[m].dt : 1.0);
        for_values(*media_[m], [&](Index p, Index i) {
            const double size = unit * std::abs(media_[m]->velocity(state.fields[m], state.schemes[m], p, i));
            if (size > largest_size) largest = {m, i}, largest_size = size;
            if (std::isfinite(size) || !finite) return;
            finite = false;
            if (state.largest.value < 0) state.largest = {m, i};
        });
    }
    if (finite && largest_size > 0.0) state.largest = largest, state.largest_size = largest_size;
}

// Ranks agree to stop only when they look, so they ask then, however short it is since the watch has.
template <class Real>
bool Simulation<Real>::stops(bool cancelled, const Watch& watch) const {
    return cancelled || (ranks_ && watch.is_cancelled());
}

template <class Real>
bool Simulation<Real>::any_rank(bool here) const {
    double value = here ? 1.0 : 0.0;
    if (ranks_) ranks_->max(&value, 1);
    return value > 0.0;
}

// What is not finite has spread by the time it is seen, so its place is that of the largest value before, on all ranks:
// on those that it has not reached the values have grown since. A rank that is to stop goes on until here, where the
// others learn of it.
template <class Real>
void Simulation<Real>::look(State& state, bool cancelled) const {
    bool finite = true;
    const Place before = state.largest;
    const double size_before = state.largest_size;
    find_largest(state, finite);
    double faults[2] = {finite ? 0.0 : 1.0, cancelled ? 1.0 : 0.0};
    if (ranks_) ranks_->max(faults, 2);
    if (faults[0] > 0.0) {
        if (finite) state.largest = before, state.largest_size = size_before;
        fail(state, "the wavefield is no longer finite");
    }
    if (faults[1] > 0.0) throw Cancelled("the run was cancelled");
}

// The energy itself is constant in an unstable run too, as the difference of two parts that grow.
template <class Real>
void Simulation<Real>::check_energy(State& state, bool silent) const {
    const Energy parts = energy(state);
    const double now = parts.kinetic + std::abs(parts.potential);
    if (!silent)
        state.largest_energy = std::max(state.largest_energy, now);
    else if (state.largest_energy > 0.0 && now > tolerated_growth * state.largest_energy)
        fail(state, "the energy of the wavefield has grown " + std::to_string(now / state.largest_energy) +
                        " times since the sources fell silent");
}

template <class Real>
void Simulation<Real>::keep(const State& state, const Stores& stores) const {
    for (std::size_t f = 0; f < stores.size(); ++f) {
        const Index row = stores[f]->find(state.step);
        if (row < 0) continue;
        Real* out = stores[f]->row(row);
        for (std::size_t m = 0; m < media_.size(); out += media_[m++]->n_values())
            media_[m]->store(state.fields[m].u, static_cast<int>(f), out);
    }
}

// Puts the stored fields of this step into the sums; false if there are none.
template <class Real>
bool Simulation<Real>::restore(State& state, const Stores& stores, double& weight) const {
    Index row = -1;
    for (std::size_t f = 0; f < stores.size(); ++f) {
        row = stores[f]->find(state.step);
        if (row < 0) return false;
        const Real* from = stores[f]->row(row);
        for (std::size_t m = 0; m < media_.size(); from += media_[m++]->n_values())
            media_[m]->restore(from, static_cast<int>(f), state.sums[m].forward);
        weight = stores[f]->weights[row];
    }
    return row >= 0;
}

template <class Real>
double Simulation<Real>::sample_velocity(const State& state, std::size_t k, const Receivers& from, Index row) const {
    const std::size_t m = k % media_.size();
    const Stiffness<Real>& stiffness = media_[m]->stiffness();
    return from.points->sample(
        row, [&](Index i) { return media_[m]->velocity(state.fields[m], state.schemes[m], stiffness.place_of(i), i); });
}

// u_n and w at n − ½ are known before the step, w at n + ½ after it; w_{n−½} waits in the row's sample.
template <class Real>
void Simulation<Real>::sample_before(const State& state, const Forward& run) const {
    for (std::size_t k = 0; k < run.receivers.size(); ++k) {
        const Receivers& to = run.receivers[k];
        const auto& u = state.fields[k % media_.size()].u;
        for (Index row = 0; row < to.points->n_rows(); ++row)
            to.samples[row * run.stride + state.step] = to.derivative[row] == 0
                                                            ? to.points->sample(row, [&](Index i) { return u[i]; })
                                                            : sample_velocity(state, k, to, row);
    }
}

template <class Real>
void Simulation<Real>::sample_after(const State& state, const Forward& run) const {
    for (std::size_t k = 0; k < run.receivers.size(); ++k) {
        const Receivers& to = run.receivers[k];
        for (Index row = 0; row < to.points->n_rows(); ++row) {
            if (to.derivative[row] == 0) continue;
            double& sample = to.samples[row * run.stride + state.step];
            const double before = sample, after = sample_velocity(state, k, to, row);
            sample = to.derivative[row] == 1 ? 0.5 * (before + after) : (after - before) / state.schemes[0].dt;
        }
    }
}

template <class Real>
void Simulation<Real>::forward(State& state, Index end, const Forward& run, Watch& watch) const {
    bool cancelled = false;
    while (state.step < end) {
        const Index n = state.step;
        if (run.energy) run.energy[n] = energy(state).total();
        if (n % check_interval == 0) {
            look(state, stops(cancelled, watch));
            if (run.source_end < run.stride) check_energy(state, n >= run.source_end + check_interval);
        }
        sample_before(state, run);
        step(state, Direction::forward, run.sources, run.stride);
        sample_after(state, run);
        ++state.step;
        keep(state, run.stores);
        cancelled = cancelled || watch.is_stopped(static_cast<double>(n) / static_cast<double>(run.stride));
        if (cancelled && !ranks_) break;
    }
    look(state, stops(cancelled, watch));
}

template <class Real>
void Simulation<Real>::adjoint(State& state, Index begin, const Adjoint& run, Watch& watch) const {
    bool cancelled = false;
    while (state.step > begin) {
        const Index k = state.step;
        if (k % check_interval == 1) look(state, stops(cancelled, watch));
        double weight = 0.0;
        const bool stored = restore(state, run.stores, weight);
        for (std::size_t m = 0; stored && m < media_.size(); ++m)
            media_[m]->accumulate_before(state.fields[m], weight, state.sums[m]);
        step(state, Direction::adjoint, run.receivers, run.stride);
        for (std::size_t m = 0; stored && m < media_.size(); ++m)
            media_[m]->accumulate_after(state.fields[m], weight, state.sums[m]);
        --state.step;
        for (std::size_t s = 0; s < run.sources.size(); ++s)
            for (Index row = 0; row < run.sources[s].points->n_rows(); ++row)
                run.sources[s].samples[row * run.stride + state.step] =
                    run.sources[s].points->sample(row, [&](Index i) { return state.fields[s % media_.size()].u[i]; });
        cancelled = cancelled || watch.is_stopped(1.0 - static_cast<double>(k) / static_cast<double>(run.stride));
        if (cancelled && !ranks_) throw Cancelled("the run was cancelled");
    }
    if (ranks_) look(state, stops(cancelled, watch));
}

void adjoint_samples(int derivative, double dt, Index n_steps, const double* by_sample, double* by_field) {
    static constexpr double stencils[3][3] = {{0.0, 1.0, 0.0}, {-0.5, 0.0, 0.5}, {1.0, -2.0, 1.0}};
    const double scale = derivative == 0 ? 1.0 : (derivative == 1 ? 1.0 / dt : 1.0 / (dt * dt));
    std::fill_n(by_field, n_steps + 1, 0.0);
    for (Index n = 0; n < n_steps; ++n)
        for (Index offset = -1; offset <= 1; ++offset)
            if (n + offset >= 0) by_field[n + offset] += scale * stencils[derivative][offset + 1] * by_sample[n];
}

template class Simulation<float>;
template class Simulation<double>;

}  // namespace wavetree
