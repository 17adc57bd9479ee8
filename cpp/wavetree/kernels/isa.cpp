#include "wavetree/kernels/isa.hpp"

#include "wavetree/core/errors.hpp"

namespace wavetree {

// Defined by operators/kernel_set.cpp, compiled once per instruction set.
#define WAVETREE_DECLARE(isa)   \
    namespace isa {             \
    const KernelSet& kernels(); \
    }
#if defined(WAVETREE_HAVE_V4)
WAVETREE_DECLARE(v4)
#endif
#if defined(WAVETREE_HAVE_V3)
WAVETREE_DECLARE(v3)
#endif
WAVETREE_DECLARE(base)

namespace {

[[maybe_unused]] bool processor_has_v3() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
#else
    return false;
#endif
}

[[maybe_unused]] bool processor_has_v4() {
#if defined(__x86_64__)
    return processor_has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

}  // namespace

const std::vector<const KernelSet*>& usable_kernel_sets() {
    static const std::vector<const KernelSet*> sets = [] {
        std::vector<const KernelSet*> usable;
#if defined(WAVETREE_HAVE_V4)
        if (processor_has_v4()) usable.push_back(&v4::kernels());
#endif
#if defined(WAVETREE_HAVE_V3)
        if (processor_has_v3()) usable.push_back(&v3::kernels());
#endif
        usable.push_back(&base::kernels());
        return usable;
    }();
    return sets;
}

const std::vector<const KernelSet*>& compiled_kernel_sets() {
    static const std::vector<const KernelSet*> sets = {
#if defined(WAVETREE_HAVE_V4)
        &v4::kernels(),
#endif
#if defined(WAVETREE_HAVE_V3)
        &v3::kernels(),
#endif
        &base::kernels()};
    return sets;
}

const KernelSet& kernel_set(const std::string& name) {
    std::string known;
    for (const KernelSet* set : usable_kernel_sets()) {
        if (name.empty() || name == set->name) return *set;
        known += known.empty() ? set->name : std::string(", ") + set->name;
    }
    throw InputError("instruction set is '" + name + "'; this build on this processor has " + known);
}

}  // namespace wavetree
