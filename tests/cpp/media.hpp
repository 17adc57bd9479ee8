// Random media in small bent boxes, and runs in them.
#pragma once

#include <string>
#include <vector>

#include "meshes.hpp"
#include "wavetree/solver/simulation.hpp"

namespace wavetree::tests {

// Coefficients (1 + n_stiffness, n) of a stable medium whose largest speed is about 1.
std::vector<double> random_coefficients(PhysicsId physics, int dim, Index n, Random& random);

// Those of the stiffness alone.
std::vector<double> random_stiffness(PhysicsId physics, int dim, Index n, Random& random);

// One medium, or a fluid where x is small and a solid behind it. Sides are natural unless set.
struct Tank {
    Tank(const std::vector<int>& n, int polynomial_order, const std::vector<std::string>& names);

    int dim() const { return owned.dim; }
    MeshSetup mesh(int threads = 1) const;
    std::vector<MediumSetup> media() const;

    // Sides of the whole box by medium, elements numbered within it.
    std::vector<std::vector<Side>> outer() const;
    // Absorbing all around and a sponge that grows with x + y.
    void damp(double rate);

    OwnedMesh owned;
    int order;
    std::vector<std::string> physics;
    std::vector<std::vector<Index>> elements;
    std::vector<std::vector<double>> coefficients, sponge;
    std::vector<std::vector<Side>> absorbing, dirichlet;
};

template <class Real>
Simulation<Real> make_simulation(const Tank& tank, int threads = 1) {
    return {tank.mesh(threads), tank.media()};
}

double maximum_time_step(const Tank& tank);

// f(place, value, component) for the values of all dofs of a medium.
template <class Real, class F>
void for_dofs(const Medium<Real>& medium, F&& f) {
    for (Index dof = 0; dof < medium.n_dofs(); ++dof)
        for (int c = 0; c < medium.n_components(); ++c)
            f(Index{medium.stiffness().numbering().place(dof)}, medium.stiffness().value(dof, c), c);
}

// Small tanks: every physics and every pair that couples, in two and three dimensions.
std::vector<Tank> all_tanks(int order);
std::string describe(const Tank& tank);  // for messages

// Points and coefficients of rows in one medium: of the field, or with its gradient.
struct Rows {
    std::vector<double> positions, coefficients;
    std::vector<Index> elements, point;  // elements of the points, numbered within the medium
    std::vector<int> derivative;         // 0, 1, 2 in turn

    PointRows view() const;
};
// One per medium. With its gradient each row reads a moment or a strain, otherwise a force or displacement.
std::vector<Rows> random_rows(const Tank& tank, Index n, Random& random, bool with_gradient);

// Samples (n_rows, stride) per medium.
using Samples = std::vector<std::vector<double>>;
Samples random_samples(const std::vector<Rows>& rows, Index stride, Random& random);
double dot(const Samples& a, const Samples& b);

// The same pulse in every row.
Samples pulses(const std::vector<Rows>& rows, Index stride, double dt);

// Sources, receivers and the state of one run.
template <class Real>
class Shot {
  public:
    using Sim = Simulation<Real>;
    Shot(const Sim& sim, const std::vector<Rows>& sources, const std::vector<Rows>& receivers)
        : sim_(sim), source_rows_(sources), receiver_rows_(receivers) {
        for (std::size_t m = 0; m < sim.n_media(); ++m) {
            sources_.push_back(sim.medium(m).points(sources[m].view(), 0));
            receivers_.push_back(sim.medium(m).points(receivers[m].view(), 0));
        }
    }

    // Records of all steps; `state` ends after the last.
    Samples forward(typename Sim::State& state, Index n_steps, const Samples& stf,
                    const WavefieldStore<Real>* store = nullptr) const {
        Samples records;
        advance(state, n_steps, n_steps, stf, records, store);
        return records;
    }

    // To step `end` of `n_steps`, with records in place.
    void advance(typename Sim::State& state, Index end, Index n_steps, const Samples& stf, Samples& records,
                 const WavefieldStore<Real>* store = nullptr) const {
        typename Sim::Forward run{{}, {}, n_steps, source_end, stores(store), energy};
        records.resize(sim_.n_media());
        for (std::size_t m = 0; m < sim_.n_media(); ++m) {
            records[m].resize(static_cast<std::size_t>(receivers_[m].n_rows() * n_steps));
            run.sources.push_back({&sources_[m], stf[m].data()});
            run.receivers.push_back({&receivers_[m], receiver_rows_[m].derivative.data(), records[m].data()});
        }
        Watch watch(control, nullptr);
        sim_.forward(state, end, run, watch);
    }

    // λ at the sources (n_rows, n_steps + 1) by derivatives of the misfit by the records (n_rows, n_steps).
    Samples adjoint(typename Sim::State& state, double dt, const Samples& by_record,
                    const WavefieldStore<Real>* store = nullptr) const {
        const Index n_steps = state.step, stride = n_steps + 1;
        Samples by_field(sim_.n_media()), at_sources(sim_.n_media());
        typename Sim::Adjoint run{{}, {}, stride, stores(store)};
        for (std::size_t m = 0; m < sim_.n_media(); ++m) {
            by_field[m].resize(static_cast<std::size_t>(receivers_[m].n_rows() * stride));
            for (Index row = 0; row < receivers_[m].n_rows(); ++row)
                adjoint_samples(receiver_rows_[m].derivative[row], dt, n_steps, &by_record[m][row * n_steps],
                                &by_field[m][row * stride]);
            at_sources[m].resize(static_cast<std::size_t>(sources_[m].n_rows() * stride));
            run.receivers.push_back({&receivers_[m], by_field[m].data()});
            run.sources.push_back({&sources_[m], source_rows_[m].derivative.data(), at_sources[m].data()});
        }
        Watch watch(control, nullptr);
        sim_.adjoint(state, 0, run, watch);
        return at_sources;
    }

    Index source_end = 1'000'000'000;
    double* energy = nullptr;  // (n_steps)
    mutable Control control{};

  private:
    static typename Sim::Stores stores(const WavefieldStore<Real>* store) {
        return store ? typename Sim::Stores{store} : typename Sim::Stores{};
    }

    const Sim& sim_;
    const std::vector<Rows>&source_rows_, &receiver_rows_;
    std::vector<PointOperator> sources_, receivers_;
};

}  // namespace wavetree::tests
