// Instances of the element kernels for one instruction set (WAVETREE_ISA); compiled once for each.
// No standard-library template may be used here, see kernels/lane.hpp.
#include "wavetree/kernels/element_loop.hpp"
#include "wavetree/kernels/update.hpp"
#include "wavetree/physics/acoustic.hpp"
#include "wavetree/physics/diffusion.hpp"

#define WAVETREE_STRING2(x) #x
#define WAVETREE_STRING(x) WAVETREE_STRING2(x)

namespace wavetree::WAVETREE_ISA {

namespace {

// Geometry classes beyond the general path pay where speed is the point: the wide instruction sets,
// float32, the orders that are used in production.
template <class Real>
constexpr bool has_affine(int order) {
    return vector_bytes > 16 && sizeof(Real) == sizeof(float) && order >= 3 && order <= 5;
}

template <int Order, GeometryClass Class, class Real>
bool take_physics(const KernelKey& key, ElementKernels<Real>& out) {
    if (key.physics == PhysicsId::acoustic) {
        using Loop = ElementLoop<Acoustic, 2, Order, Class, Real>;
        out = {Loop::W, &Loop::apply, &Loop::accumulate};
        return true;
    }
    // Smoothing works in double precision on the general path.
    if constexpr (sizeof(Real) == sizeof(double) && Class == GeometryClass::stored) {
        using Loop = ElementLoop<Diffusion, 2, Order, Class, Real>;
        out = {Loop::W, &Loop::apply, nullptr};
        return true;
    }
    return false;
}

template <int Order, class Real>
bool find_order(const KernelKey& key, ElementKernels<Real>& out) {
    if (key.order != Order || key.dim != 2) return false;
    if (key.geometry == GeometryClass::stored) return take_physics<Order, GeometryClass::stored>(key, out);
    if constexpr (has_affine<Real>(Order)) return take_physics<Order, GeometryClass::affine>(key, out);
    return false;
}

template <class Real>
bool find(const KernelKey& key, ElementKernels<Real>& out) {
    return find_order<1>(key, out) || find_order<2>(key, out) || find_order<3>(key, out) || find_order<4>(key, out) ||
           find_order<5>(key, out) || find_order<6>(key, out) || find_order<7>(key, out) || find_order<8>(key, out);
}

}  // namespace

const KernelSet& kernels() {
    static const KernelSet set{WAVETREE_STRING(WAVETREE_ISA), &find<float>, &find<double>, &update<float>,
                               &update<double>};
    return set;
}

}  // namespace wavetree::WAVETREE_ISA
