// The plain interface between the core and the kernels compiled per instruction set.
#pragma once

#include "wavetree/core/types.hpp"

namespace wavetree {

// What the lanes of a vector hold: elements of one field, or one element of as many fields.
enum class Lanes { elements, events };

struct KernelKey {
    PhysicsId physics;
    int dim;
    int order;
    GeometryClass geometry;
    Lanes lanes;
};

// Elements in batches of `width` lanes, or of one element where lanes are events. A batch's data lie together, lane
// fastest (events share them, there the lane is missing):
//   places        [batch][node]                      see below; some batches more, of any places
//   coefficients  [batch][coefficient][node][lane]   stiffness coefficient times quadrature weight times detJ,
//                                                    divided by detJ² for multilinear geometry
// Geometric factors of a run of batches of one class:
//   affine       [batch][f][lane]                    f = a * dim + d of ∂ξ_a/∂x_d, or of the metric
//   multilinear  [batch][d * 2^dim + m][lane]        x_d = Σ_m factor_m ξ^(m & 1) η^(m >> 1 & 1) ζ^(m >> 2)
//   stored       [batch][f][node][lane]
// A scalar physics knows the metric ∇ξ_a·∇ξ_b alone, its upper triangle row by row.
//
// A field's value (place, component) stands at component * stride + place; where lanes are events, at
// (place * n_components + component) * width + lane. Lanes that are elements find their places by a code:
//   p ≥ 0            lane l at p + l
//   p = ~(2 k + 1)   all but the last lane at lane_places[k * width] + l, the last at lane_places[(k + 1) * width − 1];
//                    what follows the others is read, and zero added to it
//   p = ~(2 k)       lane l at lane_places[k * width + l], which may occur twice
// Lanes that pad a batch have a spare place and zero coefficients.
inline constexpr int max_batches_ahead = 4;  // whose places are looked at
template <class Real>
struct Batches {
    const Dof* places;
    const Dof* lane_places;
    const Real* coefficients;
    const Real* D;       // derivative matrix, row = point
    const Real* points;  // of the reference interval
    Index stride;
};

// Batches [begin, end) of one geometry class.
template <class Real>
struct BatchRun {
    Index begin, end;
    const Real* geometry;  // of the first batch
};

template <class Real>
struct ElementKernels {
    int width = 0;
    bool metric = false;  // whether affine and stored geometry are the metric
    // r += K u.
    void (*apply)(const Batches<Real>&, const BatchRun<Real>&, const Real* u, Real* r) = nullptr;
    // gradient[batch][coefficient][node][lane] += weight · ∂(∇λ·flux(∇u))/∂coefficient, with the factors of
    // multilinear geometry left out as in `coefficients`.
    void (*accumulate)(const Batches<Real>&, const BatchRun<Real>&, Real weight, const Real* u, const Real* lambda,
                       Real* gradient) = nullptr;
};

// Pointwise parts of the time step over n values, or over n places of n_values values each.
template <class Real>
struct UpdateKernels {
    void (*damp)(Real* z, const Real* a, Index n, int n_values);                    // z ← a z
    void (*advance)(Real* u, const Real* z, const Real* b, Index n, int n_values);  // u ← u − b z
};

// One entry per instruction set; `find` answers false where that combination is not compiled.
struct KernelSet {
    const char* name;
    bool (*find_float)(const KernelKey&, ElementKernels<float>&);
    bool (*find_double)(const KernelKey&, ElementKernels<double>&);
    UpdateKernels<float> update_float;
    UpdateKernels<double> update_double;
    int width_float, width_double;
};

}  // namespace wavetree
