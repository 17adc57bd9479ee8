// Instances of the element kernels of one order (WAVETREE_ORDER) for one instruction set (WAVETREE_ISA);
// compiled once for each. No standard-library template may be used here, see kernels/lane.hpp.
#include "wavetree/kernels/element_loop.hpp"
#include "wavetree/operators/kernel_orders.hpp"
#include "wavetree/physics/diffusion.hpp"
#include "wavetree/physics/list.hpp"

namespace wavetree::WAVETREE_ISA {

namespace {

// Geometry classes beyond the general path pay where speed is the point: the wide instruction sets,
// float32, the orders and physics that are used in production.
template <class Physics, class Real>
constexpr bool has_affine = vector_bytes > 16 && sizeof(Real) == sizeof(float) && WAVETREE_ORDER >= 3 &&
                            WAVETREE_ORDER <= 5 && Physics::id != PhysicsId::anisotropic;

template <class Physics, int Dim, class Real>
bool take(const KernelKey& key, ElementKernels<Real>& out) {
    if (key.physics != Physics::id || key.dim != Dim) return false;
    if (key.geometry == GeometryClass::stored) {
        using Loop = ElementLoop<Physics, Dim, WAVETREE_ORDER, GeometryClass::stored, Real>;
        out = {Loop::W, &Loop::apply, &Loop::accumulate};
        return true;
    }
    if constexpr (has_affine<Physics, Real>) {
        using Loop = ElementLoop<Physics, Dim, WAVETREE_ORDER, GeometryClass::affine, Real>;
        out = {Loop::W, &Loop::apply, &Loop::accumulate};
        return true;
    }
    return false;
}

// Smoothing works in double precision on the general path and has no gradient.
template <int Dim, class Real>
bool take_diffusion(const KernelKey& key, ElementKernels<Real>& out) {
    if constexpr (sizeof(Real) == sizeof(double)) {
        if (key.physics != PhysicsId::diffusion || key.dim != Dim || key.geometry != GeometryClass::stored)
            return false;
        using Loop = ElementLoop<Diffusion, Dim, WAVETREE_ORDER, GeometryClass::stored, Real>;
        out = {Loop::W, &Loop::apply, nullptr};
        return true;
    }
    return false;
}

template <class... Physics, class Real>
bool take_any(PhysicsList<Physics...>, const KernelKey& key, ElementKernels<Real>& out) {
    return (take<Physics, 2>(key, out) || ...) || (take<Physics, 3>(key, out) || ...) || take_diffusion<2>(key, out) ||
           take_diffusion<3>(key, out);
}

}  // namespace

template <>
bool find_order<WAVETREE_ORDER>(const KernelKey& key, ElementKernels<float>& out) {
    return take_any(WavePhysics{}, key, out);
}

template <>
bool find_order<WAVETREE_ORDER>(const KernelKey& key, ElementKernels<double>& out) {
    return take_any(WavePhysics{}, key, out);
}

}  // namespace wavetree::WAVETREE_ISA
