// Forward and adjoint runs of fluid, solid or both on one mesh.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "wavetree/core/control.hpp"
#include "wavetree/operators/coupling.hpp"
#include "wavetree/solver/medium.hpp"
#include "wavetree/solver/wavefield_store.hpp"

namespace wavetree {

// Central differences in velocity form. With A± = M/dt² ± C/(2 dt), per medium:
//
//     A⁺ u_{n+1} = (2M/dt² − K) u_n − A⁻ u_{n−1} + F_n,   n = 0 … n_steps − 1,  u_0 = u_{−1} = 0     (1)
//
// is stepped as w ← ((M − dt C/2) w + dt (F − K u)) / (M + dt C/2), u ← u + dt w, where w is the
// velocity at the half step; what is kept of it is z = −(M + dt C/2) w / dt, to which forces are added as they are. A
// fluid φ and a solid u that touch are stepped one after the other:
//
//     fluid with F − Bᵀ u_n,  then solid with F + B φ_tt,  φ_tt = (φ_{n+1} − 2 φ_n + φ_{n−1}) / dt²   (2)
//
// All matrices are symmetric, so the transpose of (1) is (1) itself run from the last sample to the first;
// that of (2) is the solid with −B λ_n, then the fluid with +Bᵀ η_tt. One step function serves both.
//
// With ranks every one of them makes the same calls, and all of them end a run that one of them cannot go on with.
template <class Real>
class Simulation {
  public:
    // At most one fluid and one solid, in this order; several fields at a time in one medium only. With ranks the media
    // are those of the whole run, some perhaps without elements here, and a side where fluid and solid meet has both
    // its elements on one rank.
    Simulation(const MeshSetup& mesh, const std::vector<MediumSetup>& media);

    const Medium<Real>& medium(std::size_t m) const { return *media_[m]; }
    std::size_t n_media() const { return media_.size(); }
    int n_fields() const { return media_[0]->n_fields(); }
    Index n_values() const;  // of one stored field
    const char* instruction_set() const { return media_[0]->stiffness().kernel_set().name; }
    std::size_t memory_in_bytes() const;

    // The largest stable step, 2 / sqrt(λ_max) [s], of M⁻¹K or of the coupled operator.
    double maximum_time_step() const
        requires(sizeof(Real) == sizeof(double));

    struct Place {
        std::size_t medium = 0;
        Index value = -1;  // none yet
    };

    // All that one step hands to the next.
    struct State {
        Index step = 0;  // u is the field at this time step
        std::vector<Field<Real>> fields;
        std::vector<Scheme<Real>> schemes;
        double largest_energy = 0.0;             // of all looks until the sources fell silent
        Place largest{};                         // velocity, when it was last looked at
        double largest_size = 0.0;               // of it
        std::vector<GradientSums<Real>> sums{};  // of an adjoint run
    };
    State start(double dt, Index step = 0) const;
    State start_adjoint(double dt, Index n_steps) const;

    // Rows of sources or receivers in one medium and field, with their samples (n_rows, stride), column n = step n.
    struct Sources {
        const PointOperator* points;
        const double* samples;
    };
    struct Receivers {
        const PointOperator* points;
        const int* derivative;  // (n_rows): 0, 1 or 2 times in time, by the differences of the scheme
        double* samples;
    };
    using Stores = std::vector<const WavefieldStore<Real>*>;

    // Sources and receivers: of every medium for field 0, then for field 1, ...; or none.
    struct Forward {
        std::vector<Sources> sources;
        std::vector<Receivers> receivers;
        Index stride;
        Index source_end;  // from this step on the sources are silent
        Stores stores;     // where each field is kept, or empty
        double* energy;    // (stride): of the step that leads to n, or null
    };
    // Advances the state to `end`; samples of steps [state.step, end) are read and written.
    void forward(State& state, Index end, const Forward& run, Watch& watch) const;

    struct Adjoint {
        std::vector<Sources> receivers;  // adjoint sources dt f†_k, column k; see `adjoint_samples`
        std::vector<Receivers> sources;  // λ_n at the sources, column n, or empty
        Index stride;
        Stores stores;  // or empty
    };
    // Takes the adjoint state back to `begin`. Its sums are the gradient of the steps passed, by
    //
    //     dχ/dm = −Σ_k [ u_k ∂M λ_tt + u_k ∂C λ_t + ∂(λ_kᵀ K u_k) ].                                 (3)
    //
    // Summation by parts over time has moved the differences of the forward field onto λ without
    // remainder, since u_0 = u_{−1} = 0 and λ_N = λ_{N+1} = 0, so one snapshot u_k is all that is needed.
    void adjoint(State& state, Index begin, const Adjoint& run, Watch& watch) const;

  private:
    enum class Direction { forward, adjoint };
    using Moment = Stiffness<Real>::Moment;
    void force(State& state, std::size_t m, const std::vector<Sources>& sources, Index stride, Moment moment) const;
    void couple(State& state, std::size_t m, bool first, Moment moment) const;
    void step(State& state, Direction direction, const std::vector<Sources>& sources, Index stride) const;
    double sample_velocity(const State& state, std::size_t k, const Receivers& from, Index row) const;
    void sample_before(const State& state, const Forward& run) const;
    void sample_after(const State& state, const Forward& run) const;
    void keep(const State& state, const Stores& stores) const;
    bool restore(State& state, const Stores& stores, double& weight) const;
    // ½ wᵀ W w and ½ u_{n−1}ᵀ W L u_n of the step that led to u_n, with W = M and W L = K. For a fluid that
    // touches a solid W = K_f, and the second becomes ½ q_{n−1}ᵀ M_f q_n, M_f q = K_f φ + Bᵀ u. Their sum is
    // constant while nothing damps or drives.
    struct Energy {
        double kinetic, potential;
        double total() const { return kinetic + potential; }
    };
    Energy energy(const State& state) const;
    Energy medium_energy(const State& state, std::size_t m, const AlignedVector<Real>& before) const;
    Energy coupled_energy(const State& state, const std::vector<AlignedVector<Real>>& before) const;
    void find_largest(State& state, bool& finite) const;
    bool any_rank(bool here) const;
    bool stops(bool cancelled, const Watch& watch) const;
    void look(State& state, bool cancelled) const;
    void check_energy(State& state, bool silent) const;
    [[noreturn]] void fail(const State& state, const std::string& what) const;

    Mesh mesh_;
    const Ranks* ranks_;
    std::vector<std::unique_ptr<Medium<Real>>> media_;
    Coupling coupling_;
};

// Adjoint sources by u_k, k = 0 … n_steps, from those by the samples of one receiver row, n = 0 … n_steps − 1:
// the transpose of the time differences that `derivative` names. Both scaled as they come.
void adjoint_samples(int derivative, double dt, Index n_steps, const double* by_sample, double* by_field);

}  // namespace wavetree
