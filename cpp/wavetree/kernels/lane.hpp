// The lane type: a SIMD vector whose lanes are elements or events.
//
// Everything that a kernel file includes stands in a namespace named after the instruction set it is
// compiled for (WAVETREE_ISA), and is forced inline: a weak AVX-512 symbol that the linker prefers over
// its SSE twin would crash older processors.
#pragma once

#ifndef WAVETREE_ISA
#error "kernels are compiled once per instruction set: define WAVETREE_ISA"
#endif

#define WAVETREE_INLINE inline __attribute__((always_inline))

namespace wavetree::WAVETREE_ISA {

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif

template <class Real>
struct Lane {
    static constexpr int width = vector_bytes / static_cast<int>(sizeof(Real));
    typedef Real Vector __attribute__((vector_size(vector_bytes), may_alias));
    typedef Real Unaligned __attribute__((vector_size(vector_bytes), aligned(alignof(Real)), may_alias));

    static WAVETREE_INLINE Vector load(const Real* from) { return *reinterpret_cast<const Unaligned*>(from); }
    static WAVETREE_INLINE void add(Real* to, Vector x) { *reinterpret_cast<Unaligned*>(to) += x; }
};

}  // namespace wavetree::WAVETREE_ISA
