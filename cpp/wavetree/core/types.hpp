// Sizes, indices and aligned storage used everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace wavetree {

using Index = std::int64_t;  // counts and positions in whole arrays
using Dof = std::int32_t;    // degrees of freedom of one rank: 32 bits halve the index traffic

// What kernels are instantiated for.
enum class PhysicsId { acoustic, elastic, anisotropic, diffusion };

// Cache lines and the widest vector registers are both 64 bytes.
inline constexpr std::size_t alignment = 64;

template <class T>
struct AlignedAllocator {
    using value_type = T;
    AlignedAllocator() = default;
    template <class U>
    AlignedAllocator(const AlignedAllocator<U>&) {}
    T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(alignment))); }
    void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t(alignment)); }
    template <class U>
    bool operator==(const AlignedAllocator<U>&) const {
        return true;
    }
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

constexpr int power(int base, int exponent) {
    int result = 1;
    for (int i = 0; i < exponent; ++i) result *= base;
    return result;
}

}  // namespace wavetree
