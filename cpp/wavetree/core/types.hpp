// Sizes, indices and aligned storage used everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace wavetree {

using Index = std::int64_t;  // counts and positions in whole arrays
using Dof = std::int32_t;    // degrees of freedom of one rank: 32 bits halve the index traffic

// What kernels are instantiated for.
enum class PhysicsId { acoustic, elastic, anisotropic, diffusion };

// Of an element: constant Jacobian; Jacobian that the corners determine; anything else.
enum class GeometryClass { affine, multilinear, stored };
inline constexpr int n_geometry_classes = 3;

// Cache lines and the widest vector registers are both 64 bytes.
inline constexpr std::size_t alignment = 64;
// Large arrays are read along many lines at a time, more than small pages have entries for in the processor's table.
inline constexpr std::size_t huge_page = std::size_t{1} << 21;

template <class T>
struct AlignedAllocator {
    using value_type = T;
    AlignedAllocator() = default;
    template <class U>
    AlignedAllocator(const AlignedAllocator<U>&) {}
    static std::align_val_t alignment_of(std::size_t n) {
        return std::align_val_t(n * sizeof(T) >= huge_page ? huge_page : alignment);
    }
    T* allocate(std::size_t n) {
        void* p = ::operator new(n * sizeof(T), alignment_of(n));
#if defined(__linux__)
        if (n * sizeof(T) >= huge_page) madvise(p, n * sizeof(T), MADV_HUGEPAGE);  // a wish; it may not come true
#endif
        return static_cast<T*>(p);
    }
    void deallocate(T* p, std::size_t n) { ::operator delete(p, alignment_of(n)); }
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
