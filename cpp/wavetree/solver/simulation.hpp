// Forward and adjoint runs of one physics on one mesh of one dimension.
#pragma once

#include <string>
#include <vector>

#include "wavetree/core/control.hpp"
#include "wavetree/operators/boundary.hpp"
#include "wavetree/operators/point.hpp"
#include "wavetree/operators/stiffness.hpp"
#include "wavetree/solver/wavefield_store.hpp"

namespace wavetree {

struct SimulationSetup {
    Mesh mesh;
    int order = 4;
    const double* parameters = nullptr;   // (n_parameters, n_elements, n_nodes), in the physics' order and units
    const double* sponge_rate = nullptr;  // γ (n_elements, n_nodes) [1/s], or null
    std::vector<Side> absorbing, dirichlet;
    std::string instruction_set;
    int threads = 1;
};

struct TimeLoop {
    double dt = 0.0;
    Index n_steps = 0;
};

// Central differences in velocity form. With A± = M/dt² ± C/(2 dt):
//
//     A⁺ u_{n+1} = (2M/dt² − K) u_n − A⁻ u_{n−1} + F_n,   n = 0 … n_steps − 1,  u_0 = u_{−1} = 0     (1)
//
// is stepped as w ← ((M − dt C/2) w + dt (F − K u)) / (M + dt C/2), u ← u + dt w, where w is the
// velocity at the half step. All matrices are symmetric, so the transpose of (1) is (1) itself run from
// the last sample to the first: one step function serves both directions.
template <class Physics, int Dim, class Real>
class Simulation {
  public:
    explicit Simulation(const SimulationSetup& setup);

    Index n_dofs() const { return map_.n_dofs; }
    Index n_elements() const { return geometry_.mesh().n_elements; }
    int n_nodes() const { return geometry_.n_nodes(); }
    const char* instruction_set() const { return stiffness_.kernel_set().name; }
    std::size_t memory_in_bytes() const;

    // The largest stable step, 2 / sqrt(λ_max(M⁻¹K)) [s].
    double maximum_time_step() const
        requires(sizeof(Real) == sizeof(double));

    PointOperator points(const double* positions, Index n) const;

    struct Forward {
        const PointOperator* sources;
        const double* source_time_functions;  // (n_sources, n_steps)
        const PointOperator* receivers;
        double* records;                                 // (n_receivers, n_steps + 1): φ at the receivers
        const WavefieldStore<Real>* store;               // where the field is kept, or null
        const double *initial_field, *initial_velocity;  // u_0 (n_dofs) and w at step −1/2, or null: at rest
        double* final_field;                             // u after the last step (n_dofs), or null
    };
    void forward(const TimeLoop& time, const Forward& run, Watch& watch) const;

    struct Adjoint {
        const PointOperator* receivers;
        const double* adjoint_sources;  // f† (n_receivers, n_steps + 1), ∂χ/∂u_n = dt f†_n
        const WavefieldStore<Real>* store;
        double* gradient;  // dχ/dm: (n_parameters, n_elements, n_nodes), overwritten
    };
    void adjoint(const TimeLoop& time, const Adjoint& run, Watch& watch) const;

  private:
    struct State;
    struct Accumulators;
    void step(State& state) const;
    void accumulate(const State& state, double weight, const Real* u, Accumulators& sums) const;
    void chain(const Accumulators& sums, double* gradient) const;
    void check_finite(const State& state, Index n) const;
    std::vector<double> coefficients(const SimulationSetup& setup) const;
    void assemble(const SimulationSetup& setup);

    Geometry geometry_;
    Factors factors_;
    DofMap map_;
    int threads_;
    std::vector<double> parameters_, sponge_rate_;  // per element and node
    std::vector<ImpedanceNode> impedance_;
    std::vector<double> mass_, damping_;  // per dof
    std::vector<char> free_;
    Stiffness<Real> stiffness_;
};

}  // namespace wavetree
