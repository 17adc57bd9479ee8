// Instances of the element kernels of one order (WAVETREE_ORDER) for one instruction set (WAVETREE_ISA);
// compiled once for each. No standard-library template may be used here, see kernels/lane.hpp.
#include "wavetree/kernels/element_loop.hpp"
#include "wavetree/operators/kernel_orders.hpp"
#include "wavetree/physics/diffusion.hpp"
#include "wavetree/physics/list.hpp"

namespace wavetree::WAVETREE_ISA {

namespace {

// What goes beyond the general path (elements in lanes, stored factors) pays where speed is the point: the wide
// instruction sets, float32, the orders and physics that are used in production.
template <class Physics, class Real>
constexpr bool is_fast = vector_bytes > 16 && sizeof(Real) == sizeof(float) && WAVETREE_ORDER >= 3 &&
                         WAVETREE_ORDER <= 5 && Physics::id != PhysicsId::anisotropic;

template <class Physics, int Dim, GeometryClass Class, Lanes Use, class Real>
bool take_class(const KernelKey& key, ElementKernels<Real>& out) {
    if (key.geometry != Class || key.lanes != Use) return false;
    using Loop = ElementLoop<Physics, Dim, WAVETREE_ORDER, Class, Use, Real>;
    out = {Loop::W, Loop::metric, &Loop::apply, &Loop::accumulate};
    return true;
}

template <class Physics, int Dim, class Real>
bool take(const KernelKey& key, ElementKernels<Real>& out) {
    using enum GeometryClass;
    if (key.physics != Physics::id || key.dim != Dim) return false;
    if (take_class<Physics, Dim, stored, Lanes::elements>(key, out)) return true;
    if constexpr (is_fast<Physics, Real>)
        // Events share the factors, which then cost no bandwidth.
        return take_class<Physics, Dim, affine, Lanes::elements>(key, out) ||
               take_class<Physics, Dim, multilinear, Lanes::elements>(key, out) ||
               take_class<Physics, Dim, affine, Lanes::events>(key, out) ||
               take_class<Physics, Dim, stored, Lanes::events>(key, out);
    return false;
}

// Smoothing works in double precision on the general path and has no gradient.
template <int Dim, class Real>
bool take_diffusion(const KernelKey& key, ElementKernels<Real>& out) {
    if constexpr (sizeof(Real) == sizeof(double)) {
        if (key.physics != PhysicsId::diffusion || key.dim != Dim || key.geometry != GeometryClass::stored ||
            key.lanes != Lanes::elements)
            return false;
        using Loop = ElementLoop<Diffusion, Dim, WAVETREE_ORDER, GeometryClass::stored, Lanes::elements, Real>;
        out = {Loop::W, Loop::metric, &Loop::apply, nullptr};
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
