// The plain interface between the core and the kernels compiled per instruction set.
#pragma once

#include "wavetree/core/types.hpp"

namespace wavetree {

enum class GeometryClass { affine, stored };

struct KernelKey {
    PhysicsId physics;
    int dim;
    int order;
    GeometryClass geometry;
};

// Elements in batches of `width` lanes. A batch's data lie together, lane fastest:
//   dofs          [batch][node][lane]
//   coefficients  [batch][coefficient][node][lane]   stiffness coefficient times quadrature weight times detJ
//   dxi_dx        [batch][a * dim + d][node][lane]   stored geometry
//                 [batch][a * dim + d][lane]         affine geometry
// Lanes that pad the last batch of a block point at a spare dof and have zero coefficients.
template <class Real>
struct Batches {
    const Dof* dofs;
    const Real* coefficients;
    const Real* dxi_dx;
    const Real* D;  // derivative matrix, row = point
};

// Batches [begin, end).
struct BatchRange {
    Index begin, end;
};

template <class Real>
struct ElementKernels {
    int width = 0;
    // r += K u over a range of batches.
    void (*apply)(const Batches<Real>&, BatchRange range, const Real* u, Real* r) = nullptr;
    // gradient[batch][coefficient][node][lane] += weight · ∂(∇λ·flux(∇u))/∂coefficient.
    void (*accumulate)(const Batches<Real>&, BatchRange range, Real weight, const Real* u, const Real* lambda,
                       Real* gradient) = nullptr;
};

// Vectors of the time update, all over the values of a field (its dofs times its components).
template <class Real>
struct Update {
    Real* u;        // field
    Real* w;        // velocity at the half step
    Real* r;        // K u − F; set to zero for the next step
    const Real* a;  // (M − dt C/2) / (M + dt C/2)
    const Real* b;  // dt / (M + dt C/2), zero on Dirichlet nodes
    Real dt;
};

template <class Real>
using UpdateKernel = void (*)(const Update<Real>&, Index begin, Index end);

// One entry per instruction set; `find` answers false where that combination is not compiled.
struct KernelSet {
    const char* name;
    bool (*find_float)(const KernelKey&, ElementKernels<float>&);
    bool (*find_double)(const KernelKey&, ElementKernels<double>&);
    UpdateKernel<float> update_float;
    UpdateKernel<double> update_double;
};

}  // namespace wavetree
