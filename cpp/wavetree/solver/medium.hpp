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
    std::vector<Index> elements;           // of the whole mesh
    const double* coefficients = nullptr;  // (1 + n_stiffness, n_elements, n_nodes)
    const double* sponge_rate = nullptr;   // γ (n_elements, n_nodes) [1/s], or null
    std::vector<Side> absorbing, dirichlet;
};

struct MeshSetup {
    Mesh mesh;
    int order = 4;
    std::string instruction_set;
    int threads = 1;
};

// Fields over the values of a medium: (n_dofs, n_components), then copies, see `Stiffness`.
template <class Real>
struct Field {
    AlignedVector<Real> u;  // φ, displacement, or their adjoints
    AlignedVector<Real> w;  // velocity half a step before
    AlignedVector<Real> r;  // K u − F, zero between steps
};

// The update of one time step; C is diagonal (the sponge) but for the blocks of boundary nodes.
template <class Real>
struct Scheme {
    double dt;
    AlignedVector<Real> a, b;  // see `Update`
    std::vector<Real> g, h;    // blocks: r ← g r + h w puts their damping into r
};

// Sums over time steps k with the forward field u_k and the adjoint field λ, whose differences are those of
// the scheme.
template <class Real>
struct GradientSums {
    std::vector<double> mass, damping;  // Σ u·λ_tt and, where there is a sponge, Σ u·λ_t, per dof
    std::vector<double> blocks;         // Σ u λ_tᵀ per boundary block
    AlignedVector<Real> stiffness;      // Σ ∂(λᵀ K u), in the order of the batches
    AlignedVector<Real> forward;        // u_k with its copies
};

template <class Real>
class Medium {
  public:
    // map: numbering of the whole mesh.
    Medium(const MeshSetup& mesh, const MediumSetup& setup, const DofMap& map);
    Medium(const Medium&) = delete;
    Medium& operator=(const Medium&) = delete;

    const PhysicsTraits& physics() const { return physics_; }
    const Stiffness<Real>& stiffness() const { return stiffness_; }
    const std::vector<Index>& elements() const { return elements_; }
    const std::vector<Index>& element_dofs() const { return map_.element_dofs; }  // (n_elements, n_nodes)
    const std::vector<Index>& number() const { return number_; }  // dof of the whole mesh to dof here, or −1
    const std::vector<double>& mass() const { return mass_; }     // (n_dofs)
    const std::vector<char>& free() const { return free_; }       // (n_dofs), 0 where the field is held at zero
    Index n_dofs() const { return map_.n_dofs; }
    int n_components() const { return physics_.n_components; }
    Index n_values() const { return stiffness_.n_values(); }
    std::size_t memory_in_bytes() const;
    std::vector<double> coordinates() const;  // of the dofs (n_dofs, dim) [m]

    PointOperator points(const PointRows& rows) const;

    Field<Real> rest() const;
    Scheme<Real> scheme(double dt) const;

    // Puts the damping of boundary nodes into r; from here on `acceleration` holds until `update`.
    void prepare(Field<Real>& field, const Scheme<Real>& scheme) const;

    // Second difference of one value over the step to come, from M⁻¹ (F − K u − C v).
    double acceleration(const Field<Real>& field, const Scheme<Real>& scheme, Index i) const {
        return ((static_cast<double>(scheme.a[i]) - 1.0) * field.w[i] - static_cast<double>(scheme.b[i]) * field.r[i]) /
               scheme.dt;
    }

    // The step: w, u, and r = 0.
    void update(Field<Real>& field, const Scheme<Real>& scheme) const;

    GradientSums<Real> sums() const;
    // Adds step k after `prepare` and before `update` of the adjoint field; sums.forward holds u_k.
    void accumulate(const Field<Real>& adjoint, const Scheme<Real>& scheme, double weight,
                    GradientSums<Real>& sums) const;
    // dχ/d(coefficients): (1 + n_stiffness, n_elements, n_nodes).
    void gradient(const GradientSums<Real>& sums, double* out) const;

  private:
    static Mesh select_mesh(const Mesh& mesh, const std::vector<Index>& elements, std::vector<Index>& connectivity);
    void assemble(const MediumSetup& setup);
    Index add_block(Index dof);

    const PhysicsTraits& physics_;
    std::vector<Index> elements_, connectivity_, number_;
    Geometry geometry_;
    Factors factors_;
    DofMap map_;
    Stiffness<Real> stiffness_;
    std::vector<double> mass_, damping_;  // per dof; damping of the sponge
    std::vector<double> sponge_rate_;     // (n_elements, n_nodes), or empty
    std::vector<char> free_;
    std::vector<ImpedanceNode> impedance_;
    std::vector<double> impedance_coefficients_;  // (n_impedance, 1 + n_stiffness)
    std::vector<Index> impedance_block_;          // (n_impedance)
    std::vector<Index> block_of_;                 // dof to block or −1
    std::vector<Index> block_dof_;
    std::vector<double> block_damping_;  // (n_blocks, n_components, n_components), with the sponge's
};

}  // namespace wavetree
