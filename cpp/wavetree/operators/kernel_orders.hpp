// The element kernels of one instruction set by order, each compiled in a file of its own.
#pragma once

#include "wavetree/kernels/lane.hpp"
#include "wavetree/kernels/table.hpp"

namespace wavetree::WAVETREE_ISA {

// False where the combination is not compiled.
template <int Order>
bool find_order(const KernelKey& key, ElementKernels<float>& out);
template <int Order>
bool find_order(const KernelKey& key, ElementKernels<double>& out);

}  // namespace wavetree::WAVETREE_ISA
