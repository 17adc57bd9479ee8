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

// K x
template <class Real>
AlignedVector<Real> product(const Medium<Real>& medium, AlignedVector<Real> x) {
    AlignedVector<Real> result(x.size());
    medium.stiffness().spread(x.data());
    medium.stiffness().apply(x.data(), result.data());
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
    : mesh_(mesh.mesh), coupling_(mesh.mesh.dim) {
    if (media.empty() || media.size() > 2 || (media.size() == 2 && (!is_fluid(media[0]) || is_fluid(media[1]))))
        throw InputError("expected one medium, or a fluid and a solid in this order");
    if (media.size() > 1 && mesh.lanes == Lanes::events)
        throw InputError("a fluid and a solid were given; several events at a time need one medium");
    const DofMap map = make_dof_map(mesh_, mesh.order);
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
    if (coupling_.empty()) {
        for (const auto& medium : media_)
            largest = std::max(
                largest, largest_eigenvalue(stiffness_problem(medium->stiffness(), medium->mass(), medium->free()),
                                            rough_field(medium->stiffness(), medium->free(), medium->coordinates())));
    } else {
        CoupledProblem coupled(*media_[0], *media_[1], coupling_);
        largest = largest_eigenvalue(coupled.problem(), coupled.start());
    }
    return 2.0 / std::sqrt(largest);
}

template <class Real>
typename Simulation<Real>::State Simulation<Real>::start(double dt) const {
    State state;
    for (const auto& medium : media_) {
        state.fields.push_back(medium->rest());
        state.schemes.push_back(medium->scheme(dt));
    }
    return state;
}

template <class Real>
typename Simulation<Real>::State Simulation<Real>::start_adjoint(double dt, Index n_steps) const {
    State state = start(dt);
    state.step = n_steps;
    for (const auto& medium : media_) state.sums.push_back(medium->sums());
    return state;
}

template <class Real>
void Simulation<Real>::couple(State& state, std::size_t m, bool first) const {
    const Medium<Real>& from = *media_[1 - m];
    const Medium<Real>& to = *media_[m];
    const auto value = [&](Index dof, int c) -> double {
        return first ? state.fields[1 - m].u[from.stiffness().value(dof, c)]
                     : from.held_acceleration(state.fields[1 - m], state.schemes[1 - m], dof, c);
    };
    const double sign = first ? 1.0 : -1.0;
    const auto at = [&](Index dof, int c = 0) -> Real& { return state.fields[m].z[to.stiffness().value(dof, c)]; };
    if (m == 0)
        coupling_.to_fluid(sign, value, at);
    else
        coupling_.to_solid(sign, [&](Index dof) { return value(dof, 0); }, at);
}

template <class Real>
void Simulation<Real>::step(State& state, Direction direction, const std::vector<Sources>& sources,
                            Index stride) const {
    for (std::size_t m = 0; m < media_.size(); ++m) media_[m]->sweep(state.fields[m], state.schemes[m]);
    for (std::size_t k = 0; k < sources.size(); ++k)
        for (Index row = 0; row < sources[k].points->n_rows(); ++row) {
            const std::size_t m = k % media_.size();
            sources[k].points->inject(row, sources[k].samples[row * stride + state.step], [&](Index i, double force) {
                media_[m]->add_force(state.fields[m], state.schemes[m], i, force);
            });
        }
    for (std::size_t i = 0; i < media_.size(); ++i) {
        const std::size_t m = direction == Direction::forward ? i : media_.size() - 1 - i;
        if (!coupling_.empty()) couple(state, m, i == 0);
        media_[m]->damp_boundary(state.fields[m], state.schemes[m]);
    }
    for (std::size_t m = 0; m < media_.size(); ++m) media_[m]->finish(state.fields[m], state.schemes[m]);
}

template <class Real>
typename Simulation<Real>::Energy Simulation<Real>::energy(const State& state) const {
    Energy sum{0.0, 0.0};
    std::vector<AlignedVector<Real>> before;  // u_{n−1}
    for (std::size_t m = 0; m < media_.size(); ++m) {
        before.push_back(state.fields[m].u);
        for_values(*media_[m], [&](Index p, Index i) { before[m][i] += state.schemes[m].b[p] * state.fields[m].z[i]; });
    }
    for (std::size_t m = 0; m < media_.size(); ++m) {
        const Medium<Real>& medium = *media_[m];
        const Field<Real>& field = state.fields[m];
        const auto velocity = [&](Index p, Index i) { return medium.velocity(field, state.schemes[m], p, i); };
        auto now = product(medium, field.u);
        if (m == 1 || coupling_.empty()) {
            for_values(medium, [&](Index p, Index i) {
                sum.kinetic += 0.5 * medium.mass()[p] * velocity(p, i) * velocity(p, i);
                sum.potential += 0.5 * static_cast<double>(before[m][i]) * now[i];
            });
            continue;
        }
        auto then = product(medium, before[0]), w = field.z;
        for_values(medium, [&](Index p, Index i) { w[i] = static_cast<Real>(velocity(p, i)); });
        const auto by_velocity = product(medium, w);
        const Stiffness<Real>&fluid = medium.stiffness(), &solid = media_[1]->stiffness();
        coupling_.to_fluid(
            1.0, [&](Index dof, int d) { return state.fields[1].u[solid.value(dof, d)]; },
            [&](Index dof) -> Real& { return now[fluid.value(dof, 0)]; });
        coupling_.to_fluid(
            1.0, [&](Index dof, int d) { return before[1][solid.value(dof, d)]; },
            [&](Index dof) -> Real& { return then[fluid.value(dof, 0)]; });
        for_values(medium, [&](Index p, Index i) {
            sum.kinetic += 0.5 * static_cast<double>(w[i]) * by_velocity[i];
            if (medium.free()[p]) sum.potential += 0.5 * then[i] / medium.mass()[p] * now[i];
        });
    }
    return sum;
}

template <class Real>
void Simulation<Real>::fail(const State& state, const std::string& what) const {
    const auto [m, value] = state.largest;
    const auto x = media_[m]->coordinates();
    const double* place = &x[media_[m]->stiffness().place_of(value) * mesh_.dim];
    std::ostringstream text;
    text << what << " at time step " << state.step << ", most of all at (" << place[0];
    for (int d = 1; d < mesh_.dim; ++d) text << ", " << place[d];
    text << ") m; likely the time step is too large for the model there, or a source amplitude overflows";
    throw Unstable(text.str());
}

// What is not finite has spread by the time it is seen, so its place is that of the largest value before.
template <class Real>
void Simulation<Real>::check_finite(State& state) const {
    Place largest{};
    double largest_size = 0.0;
    for (std::size_t m = 0; m < media_.size(); ++m) {
        // Media compare by energy: in the shortest waves, which fail first, φ_tt is about 2 φ_t / dt.
        const double unit =
            std::sqrt(media_[m]->mean_mass()) * (m == 0 && media_.size() > 1 ? 2.0 / state.schemes[m].dt : 1.0);
        for_values(*media_[m], [&](Index p, Index i) {
            const double size = unit * std::abs(media_[m]->velocity(state.fields[m], state.schemes[m], p, i));
            if (size > largest_size) largest = {m, i}, largest_size = size;
            if (std::isfinite(size)) return;
            if (state.largest.value < 0) state.largest = {m, i};
            fail(state, "the wavefield is no longer finite");
        });
    }
    if (largest_size > 0.0) state.largest = largest;
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
    while (state.step < end) {
        const Index n = state.step;
        if (run.energy) run.energy[n] = energy(state).total();
        if (n % check_interval == 0) {
            check_finite(state);
            if (run.source_end < run.stride) check_energy(state, n >= run.source_end + check_interval);
        }
        sample_before(state, run);
        step(state, Direction::forward, run.sources, run.stride);
        sample_after(state, run);
        ++state.step;
        keep(state, run.stores);
        watch.step(static_cast<double>(n) / static_cast<double>(run.stride));
    }
    check_finite(state);
}

template <class Real>
void Simulation<Real>::adjoint(State& state, Index begin, const Adjoint& run, Watch& watch) const {
    while (state.step > begin) {
        const Index k = state.step;
        if (k % check_interval == 1) check_finite(state);
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
        watch.step(1.0 - static_cast<double>(k) / static_cast<double>(run.stride));
    }
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
