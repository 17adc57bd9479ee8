// The kernels of one instruction set (WAVETREE_ISA); compiled once for each. No standard-library template
// may be used here, see kernels/lane.hpp.
#include "wavetree/kernels/update.hpp"
#include "wavetree/operators/kernel_orders.hpp"

#define WAVETREE_STRING2(x) #x
#define WAVETREE_STRING(x) WAVETREE_STRING2(x)

namespace wavetree::WAVETREE_ISA {

#define WAVETREE_DECLARE_ORDER(order)                                     \
    template <>                                                           \
    bool find_order<order>(const KernelKey&, ElementKernels<float>& out); \
    template <>                                                           \
    bool find_order<order>(const KernelKey&, ElementKernels<double>& out);
WAVETREE_DECLARE_ORDER(1)
WAVETREE_DECLARE_ORDER(2)
WAVETREE_DECLARE_ORDER(3)
WAVETREE_DECLARE_ORDER(4)
WAVETREE_DECLARE_ORDER(5)
WAVETREE_DECLARE_ORDER(6)
WAVETREE_DECLARE_ORDER(7)
WAVETREE_DECLARE_ORDER(8)

namespace {

template <class Real>
bool find(const KernelKey& key, ElementKernels<Real>& out) {
    switch (key.order) {
        case 1:
            return find_order<1>(key, out);
        case 2:
            return find_order<2>(key, out);
        case 3:
            return find_order<3>(key, out);
        case 4:
            return find_order<4>(key, out);
        case 5:
            return find_order<5>(key, out);
        case 6:
            return find_order<6>(key, out);
        case 7:
            return find_order<7>(key, out);
        case 8:
            return find_order<8>(key, out);
        default:
            return false;
    }
}

}  // namespace

const KernelSet& kernels() {
    static const KernelSet set{
        WAVETREE_STRING(WAVETREE_ISA),     &find<float>,       &find<double>,      {&damp<float>, &advance<float>},
        {&damp<double>, &advance<double>}, Lane<float>::width, Lane<double>::width};
    return set;
}

}  // namespace wavetree::WAVETREE_ISA
