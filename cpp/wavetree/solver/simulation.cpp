#include "wavetree/solver/simulation.hpp"

#include <cmath>
#include <numeric>
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

}  // namespace

template <class Real>
Simulation<Real>::Simulation(const MeshSetup& mesh, const std::vector<MediumSetup>& media)
    : mesh_(mesh.mesh), coupling_(mesh.mesh.dim) {
    if (media.empty() || media.size() > 2 || (media.size() == 2 && (!is_fluid(media[0]) || is_fluid(media[1]))))
        throw InputError("expected one medium, or a fluid and a solid in this order");
    const DofMap map = make_dof_map(mesh_, mesh.order);
    for (const MediumSetup& setup : media) media_.push_back(std::make_unique<Medium<Real>>(mesh, setup, map));
    if (media.size() < 2) return;
    std::vector<char> solid(static_cast<std::size_t>(mesh_.n_elements), 0);
    for (Index e : media[1].elements) solid[e] = 1;
    coupling_ = Coupling(Geometry(mesh_, mesh.order), map, interface_sides(mesh_, solid), media_[0]->number(),
                         media_[1]->number());
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
    const std::size_t other = 1 - m;
    const Field<Real>& from = state.fields[other];
    const Index n = media_[other]->n_components();
    const auto value = [&](Index dof, int c) -> double {
        const Index i = dof * n + c;
        return first ? from.u[i] : media_[other]->acceleration(from, state.schemes[other], i);
    };
    Real* r = state.fields[m].r.data();
    const double sign = first ? 1.0 : -1.0;
    if (m == 0)
        coupling_.to_fluid(sign, value, r);
    else
        coupling_.to_solid(sign, [&](Index dof) { return value(dof, 0); }, r);
}

// From r = −F on to where `acceleration` holds; `update` completes the step.
template <class Real>
void Simulation<Real>::begin_step(State& state, Direction direction) const {
    for (std::size_t m = 0; m < media_.size(); ++m)
        media_[m]->stiffness().apply(state.fields[m].u.data(), state.fields[m].r.data());
    for (std::size_t i = 0; i < media_.size(); ++i) {
        const std::size_t m = direction == Direction::forward ? i : media_.size() - 1 - i;
        if (!coupling_.empty()) couple(state, m, i == 0);
        media_[m]->prepare(state.fields[m], state.schemes[m]);
    }
}

template <class Real>
void Simulation<Real>::finish_step(State& state) const {
    for (std::size_t m = 0; m < media_.size(); ++m) media_[m]->update(state.fields[m], state.schemes[m]);
}

template <class Real>
typename Simulation<Real>::Energy Simulation<Real>::energy(const State& state) const {
    Energy sum{0.0, 0.0};
    std::vector<AlignedVector<Real>> before;  // u_{n−1}
    for (std::size_t m = 0; m < media_.size(); ++m) {
        before.push_back(state.fields[m].u);
        const Real dt = static_cast<Real>(state.schemes[m].dt);
        for (Index i = 0; i < media_[m]->n_values(); ++i) before[m][i] -= dt * state.fields[m].w[i];
    }
    for (std::size_t m = 0; m < media_.size(); ++m) {
        const Medium<Real>& medium = *media_[m];
        const Field<Real>& field = state.fields[m];
        const Index n = medium.n_components();
        auto now = product(medium, field.u);
        if (m == 1 || coupling_.empty()) {
            for (Index i = 0; i < medium.n_values(); ++i) {
                sum.kinetic += 0.5 * medium.mass()[i / n] * field.w[i] * field.w[i];
                sum.potential += 0.5 * static_cast<double>(before[m][i]) * now[i];
            }
            continue;
        }
        auto then = product(medium, before[0]);
        const auto by_velocity = product(medium, field.w);
        const int dim = media_[1]->n_components();
        coupling_.to_fluid(1.0, [&](Index dof, int d) { return state.fields[1].u[dof * dim + d]; }, now.data());
        coupling_.to_fluid(1.0, [&](Index dof, int d) { return before[1][dof * dim + d]; }, then.data());
        for (Index i = 0; i < medium.n_values(); ++i) {
            sum.kinetic += 0.5 * static_cast<double>(field.w[i]) * by_velocity[i];
            if (medium.free()[i]) sum.potential += 0.5 * then[i] / medium.mass()[i] * now[i];
        }
    }
    return sum;
}

template <class Real>
void Simulation<Real>::fail(const State& state, const std::string& what) const {
    const auto [m, value] = state.largest;
    const auto x = media_[m]->coordinates();
    const double* place = &x[value / media_[m]->n_components() * mesh_.dim];
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
        const auto& mass = media_[m]->mass();
        const double mean_mass = std::accumulate(mass.begin(), mass.end(), 0.0) / static_cast<double>(mass.size());
        const double unit = std::sqrt(mean_mass) * (m == 0 && media_.size() > 1 ? 2.0 / state.schemes[m].dt : 1.0);
        for (Index i = 0; i < media_[m]->n_values(); ++i) {
            const double size = unit * std::abs(static_cast<double>(state.fields[m].w[i]));
            if (size > largest_size) largest = {m, i}, largest_size = size;
            if (std::isfinite(size)) continue;
            if (state.largest.value < 0) state.largest = {m, i};
            fail(state, "the wavefield is no longer finite");
        }
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
void Simulation<Real>::keep(const State& state, const WavefieldStore<Real>& store) const {
    const Index row = store.find(state.step);
    if (row < 0) return;
    Real* out = store.row(row);
    for (std::size_t m = 0; m < media_.size(); ++m)
        out = std::copy_n(state.fields[m].u.begin(), media_[m]->n_values(), out);
}

// Between `begin_step` and `finish_step`, where u_n, w at n − ½ and the acceleration at n are known.
template <class Real>
void Simulation<Real>::sample(const State& state, std::size_t m, const Receivers& to, Index stride) const {
    const Field<Real>& field = state.fields[m];
    const Scheme<Real>& scheme = state.schemes[m];
    const auto acceleration = [&](Index i) { return media_[m]->acceleration(field, scheme, i); };
    for (Index row = 0; row < to.points->n_rows(); ++row) {
        double& out = to.samples[row * stride + state.step];
        if (to.derivative[row] == 0)
            out = to.points->sample(row, [&](Index i) { return field.u[i]; });
        else if (to.derivative[row] == 1)
            out = to.points->sample(row, [&](Index i) { return field.w[i] + 0.5 * scheme.dt * acceleration(i); });
        else
            out = to.points->sample(row, acceleration);
    }
}

template <class Real>
void Simulation<Real>::inject(State& state, const Forward& run) const {
    for (std::size_t m = 0; m < run.sources.size(); ++m)
        for (Index row = 0; row < run.sources[m].points->n_rows(); ++row)
            run.sources[m].points->inject(row, -run.sources[m].samples[row * run.stride + state.step],
                                          state.fields[m].r.data());
}

template <class Real>
void Simulation<Real>::forward(State& state, Index end, const Forward& run, Watch& watch) const {
    while (state.step < end) {
        const Index n = state.step;
        inject(state, run);
        begin_step(state, Direction::forward);
        for (std::size_t m = 0; m < run.receivers.size(); ++m) sample(state, m, run.receivers[m], run.stride);
        if (run.energy) run.energy[n] = energy(state).total();
        if (n % check_interval == 0) {
            check_finite(state);
            if (run.source_end < run.stride) check_energy(state, n >= run.source_end + check_interval);
        }
        finish_step(state);
        ++state.step;
        if (run.store) keep(state, *run.store);
        watch.step(static_cast<double>(n) / static_cast<double>(run.stride));
    }
    check_finite(state);
}

template <class Real>
void Simulation<Real>::accumulate(State& state, const WavefieldStore<Real>& store) const {
    const Index row = store.find(state.step);
    if (row < 0) return;
    const Real* from = store.row(row);
    for (std::size_t m = 0; m < media_.size(); ++m) {
        std::copy_n(from, media_[m]->n_values(), state.sums[m].forward.begin());
        from += media_[m]->n_values();
        media_[m]->accumulate(state.fields[m], state.schemes[m], store.weights[row], state.sums[m]);
    }
}

template <class Real>
void Simulation<Real>::adjoint(State& state, Index begin, const Adjoint& run, Watch& watch) const {
    while (state.step > begin) {
        const Index k = state.step;
        for (std::size_t m = 0; m < run.receivers.size(); ++m)
            for (Index row = 0; row < run.receivers[m].points->n_rows(); ++row)
                run.receivers[m].points->inject(row, -run.receivers[m].samples[row * run.stride + k],
                                                state.fields[m].r.data());
        begin_step(state, Direction::adjoint);
        if (run.store) accumulate(state, *run.store);
        if (k % check_interval == 1) check_finite(state);
        finish_step(state);
        --state.step;
        for (std::size_t m = 0; m < run.sources.size(); ++m)
            for (Index row = 0; row < run.sources[m].points->n_rows(); ++row)
                run.sources[m].samples[row * run.stride + state.step] =
                    run.sources[m].points->sample(row, [&](Index i) { return state.fields[m].u[i]; });
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
