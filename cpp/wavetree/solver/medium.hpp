// The elements of one physics: their field, its time update and the sums of its gradient.
#pragma once

#include <string>
#include <vector>

#include "wavetree/operators/boundary.hpp"
#include "wavetree/operators/physics.hpp"
#include "wavetree/operators/point.hpp"
#include "wavetree/operators/stiffness.hpp"

namespace wavetree {

// Elements are numbered within the medium, in the order of `elements`.
struct MediumSetup {
    std::string physics;
    std::vector<Index> elements;           // of the whole mesh, this rank's
    const double* coefficients = nullptr;  // (1 + n_stiffness, n_elements, n_nodes)
    const double* sponge_rate = nullptr;   // γ (n_elements, n_nodes) [1/s], or null
    std::vector<Side> absorbing, dirichlet;
    std::vector<Index> ghosts{};  // elements of the medium that other ranks have, behind those of this one
};

struct MeshSetup {
    Mesh mesh;  // with `ranks` the elements of this rank, behind which stand the ghosts'
    int order = 4;
    std::string instruction_set;
    int threads = 1;
    Lanes lanes = Lanes::elements;
    const Ranks* ranks = nullptr;  // null: there is one
    Ghosts ghosts{};
};

// Fields over the values of a medium, see `Stiffness`. With P = M + dt C/2, or M where C is a matrix per node, and the
// velocity w half a step before, z = −P w / dt: forces K u − F are added to it as they are.
template <class Real>
struct Field {
    AlignedVector<Real> u;     // φ, displacement, or their adjoints
    AlignedVector<Real> z;     // zero in copies
    std::vector<Real> held{};  // z of held places before the step
};

// The update of one time step, by place; C is diagonal (the sponge) but for the blocks of boundary nodes in solids.
template <class Real>
struct Scheme {
    double dt;
    AlignedVector<Real> b{};        // dt² / P: u ← u − b z, w = −b z / dt; zero where the field is held at zero
    AlignedVector<Real> b_swept{};  // the same, zero at held places; empty if there are none
    AlignedVector<Real> a{};        // (M − dt C/2) / P: z ← a z + K u − F
    std::vector<Index> damped{};    // ascending: groups of `Numbering::alignment` places where a is not all 1
    std::vector<Real> g{}, h{};     // blocks: z ← g z + h z_before puts their damping into z
};

// Sums over time steps k with the forward field u_k and the adjoint field's z before and after the step.
template <class Real>
struct GradientSums {
    std::vector<double> mass,
        damping;                    // Σ u·(z⁺ − z⁻) and, where there is a sponge, Σ u·(z⁺ + z⁻), per place and field
    std::vector<double> blocks;     // Σ u (z⁺ + z⁻)ᵀ per boundary node and field
    AlignedVector<Real> stiffness;  // Σ ∂(λᵀ K u), in the order of the batches
    AlignedVector<Real> forward;    // u_k with its copies
    AlignedVector<Real> before;     // z⁻
};

template <class Real>
class Medium {
  public:
    // map: numbering of the whole mesh with its ghosts.
    Medium(const MeshSetup& mesh, const MediumSetup& setup, const DofMap& map);
    Medium(const Medium&) = delete;
    Medium& operator=(const Medium&) = delete;

    const PhysicsTraits& physics() const { return physics_; }
    const Stiffness<Real>& stiffness() const { return stiffness_; }
    const std::vector<Index>& elements() const { return elements_; }
    const std::vector<Index>& element_dofs() const { return map_.element_dofs; }  // (n_elements, n_nodes)
    const std::vector<Index>& number() const { return number_; }  // dof of the whole mesh to dof here, or −1
    const std::vector<double>& mass() const { return mass_; }     // by place, 1 where there is no dof
    const std::vector<char>& free() const { return free_; }       // by place, 0 where the field is held at zero
    const std::vector<char>& owned() const { return owned_; }     // by place, 0 where a lower rank has the dof too
    const Ranks* ranks() const { return halo_.ranks; }            // or null
    double mean_mass() const { return mean_mass_; }               // of the dofs that are not held at zero
    Index n_nodes() const { return geometry_.n_nodes(); }
    Index n_dofs() const { return map_.n_dofs; }
    Index n_places() const { return stiffness_.numbering().n_places(); }
    int n_components() const { return physics_.n_components; }
    int n_fields() const { return stiffness_.n_fields(); }
    Index n_values() const { return n_places() * n_components(); }  // of a field that is stored
    std::size_t memory_in_bytes() const;
    std::vector<double> coordinates() const;  // by place (n_places, dim) [m]

    PointOperator points(const PointRows& rows, int field) const;

    Field<Real> rest() const;
    Scheme<Real> scheme(double dt) const;

    // From here on dofs are updated by `finish` alone, when others have added to z; before anything has been stepped.
    // Every rank must call it: a dof that one rank holds all hold.
    void hold(const std::vector<Index>& dofs);

    // The step in parts: forces at dofs that other ranks have too; all but the held places and the other forces; these;
    // the damping of boundary nodes; the held places.
    using Moment = Stiffness<Real>::Moment;
    void add_force(Field<Real>& field, const Scheme<Real>& scheme, Index value, double force, Moment moment) const {
        // Shared values are advanced once they are summed.
        if (!stiffness_.add(field.z.data(), value, -force, moment) || moment == Moment::before) return;
        const auto& b = held_.empty() ? scheme.b : scheme.b_swept;
        field.u[value] += static_cast<Real>(b[stiffness_.place_of(value)] * force);
    }
    void sweep(Field<Real>& field, const Scheme<Real>& scheme) const;
    void damp_boundary(Field<Real>& field, const Scheme<Real>& scheme) const;
    void finish(Field<Real>& field, const Scheme<Real>& scheme) const;

    // Velocity half a step before, at one value of a place.
    double velocity(const Field<Real>& field, const Scheme<Real>& scheme, Index place, Index value) const {
        return -static_cast<double>(scheme.b[place]) * field.z[value] / scheme.dt;
    }
    void set_velocity(Field<Real>& field, const Scheme<Real>& scheme, Index value, double w) const {
        const double b = scheme.b[stiffness_.place_of(value)];
        field.z[value] = b > 0.0 ? static_cast<Real>(-scheme.dt * w / b) : Real(0);
    }
    // Second difference over the step under way, between `damp_boundary` and `finish`, at a held dof of field 0.
    double held_acceleration(const Field<Real>& field, const Scheme<Real>& scheme, Index dof, int component) const;

    // The values of one field with all places of a component together: out (n_values), and back.
    void store(const AlignedVector<Real>& values, int field, Real* out) const;
    void restore(const Real* from, int field, AlignedVector<Real>& values) const;

    GradientSums<Real> sums() const;
    // Adds the stiffness's part of step k before the step of the adjoint field; sums.forward holds u_k.
    void accumulate_before(const Field<Real>& adjoint, double weight, GradientSums<Real>& sums) const;
    // Adds the rest after it.
    void accumulate_after(const Field<Real>& adjoint, double weight, GradientSums<Real>& sums) const;
    // dχ/d(coefficients) of one field: (1 + n_stiffness, n_elements, n_nodes).
    void gradient(const GradientSums<Real>& sums, const Scheme<Real>& scheme, int field, double* out) const;

  private:
    static Mesh select_mesh(const Mesh& mesh, const std::vector<Index>& elements, std::vector<Index>& connectivity);
    void assemble(const MediumSetup& setup);
    void add_damping(const MediumSetup& setup);
    void sum_shared_blocks();
    void average_mass();
    // values (n_places, n_each) ← sums over the ranks that share the place.
    void sum_shared(Index n_each, std::vector<double>& values) const;
    std::vector<Index> places(const std::vector<Index>& dofs) const;
    // These and those that another rank names, ascending.
    std::vector<Index> on_any_rank(std::vector<Index> places) const;
    void number_blocks();
    void hold_place(Index place);
    void add_blocks(Scheme<Real>& scheme) const;
    template <int n>
    void damp_blocks(Field<Real>& field, const Scheme<Real>& scheme, Index begin, Index end) const;
    Index place(Index node) const { return stiffness_.numbering().place(map_.element_dofs[node]); }

    const PhysicsTraits& physics_;
    std::vector<Index> elements_, connectivity_, number_;
    Geometry geometry_;
    Factors factors_;
    DofMap map_;
    Halo halo_;
    Stiffness<Real> stiffness_;
    std::vector<double> mass_, damping_;  // by place; damping of the sponge, and of boundary nodes in fluids
    double mean_mass_ = 0.0;
    std::vector<double> sponge_rate_;  // (n_elements, n_nodes), or empty
    std::vector<char> free_, owned_;
    std::vector<ImpedanceNode> impedance_;
    std::vector<double> impedance_coefficients_;  // (n_impedance, 1 + n_stiffness)
    std::vector<Index> impedance_block_;          // (n_impedance)
    std::vector<Index> block_of_, block_place_;   // by place: block or −1; and back
    std::vector<double> block_damping_;           // (n_blocks, n_components, n_components), with the sponge's
    std::vector<Index> held_of_, held_;           // by place: held or −1; and back
};

}  // namespace wavetree
