// Choice of the instruction set at run time.
#pragma once

#include <string>
#include <vector>

#include "wavetree/kernels/table.hpp"

namespace wavetree {

// Kernel sets that were compiled in and that this processor runs, best first.
const std::vector<const KernelSet*>& usable_kernel_sets();

// The set named, or the best one for an empty name. Throws InputError for a name that is not usable.
const KernelSet& kernel_set(const std::string& name);

// All compiled sets, usable or not.
const std::vector<const KernelSet*>& compiled_kernel_sets();

template <class Real>
bool find_kernels(const KernelSet& set, const KernelKey& key, ElementKernels<Real>& kernels) {
    if constexpr (sizeof(Real) == sizeof(float))
        return set.find_float(key, kernels);
    else
        return set.find_double(key, kernels);
}

template <class Real>
const UpdateKernels<Real>& update_kernels(const KernelSet& set) {
    if constexpr (sizeof(Real) == sizeof(float))
        return set.update_float;
    else
        return set.update_double;
}

// Lanes of a vector.
template <class Real>
int width(const KernelSet& set) {
    return sizeof(Real) == sizeof(float) ? set.width_float : set.width_double;
}

}  // namespace wavetree
