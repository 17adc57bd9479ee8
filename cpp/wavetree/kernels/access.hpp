// How a batch finds its values in a field, and its own data: one access for each meaning of the lanes.
#pragma once

#include "wavetree/kernels/lane.hpp"
#include "wavetree/kernels/table.hpp"

namespace wavetree::WAVETREE_ISA {

template <class Real, Lanes>
struct Access;

template <class Real>
struct Access<Real, Lanes::elements> {
    using L = Lane<Real>;
    using V = typename L::Vector;
    using Data = V;  // every lane has its own
    static constexpr int W = L::width;

    template <int C, int Nodes>
    static WAVETREE_INLINE void gather(const Batches<Real>& b, const Dof* places, const Real* u, V (&out)[C][Nodes]) {
        for (int n = 0; n < Nodes; ++n) {
            const Dof p = places[n];
            if (__builtin_expect(p >= 0, 1)) {
                for (int c = 0; c < C; ++c) out[c][n] = L::load(u + c * b.stride + p);
                continue;
            }
            const Dof* lanes = b.lane_places + Index{~p >> 1} * W;
            if (~p & 1) {
                for (int c = 0; c < C; ++c) {
                    V value = L::load(u + c * b.stride + lanes[0]);
                    value[W - 1] = u[c * b.stride + lanes[W - 1]];
                    out[c][n] = value;
                }
                continue;
            }
            for (int c = 0; c < C; ++c) {
                V value;
                for (int l = 0; l < W; ++l) value[l] = u[c * b.stride + lanes[l]];
                out[c][n] = value;
            }
        }
    }

    // Of values that will be gathered and scattered soon.
    template <int C, int Nodes>
    static WAVETREE_INLINE void prefetch(const Batches<Real>& b, const Dof* places, const Real* u, const Real* r) {
        for (int n = 0; n < Nodes; ++n) {
            const Dof p = places[n];
            if (p < 0) continue;
            for (int c = 0; c < C; ++c) {
                __builtin_prefetch(u + c * b.stride + p);
                __builtin_prefetch(r + c * b.stride + p, 1);
            }
        }
    }

    template <int C, int Nodes>
    static WAVETREE_INLINE void scatter(const Batches<Real>& b, const Dof* places, const V (&in)[C][Nodes], Real* r) {
        for (int n = 0; n < Nodes; ++n) {
            const Dof p = places[n];
            if (__builtin_expect(p >= 0, 1)) {
                for (int c = 0; c < C; ++c) L::add(r + c * b.stride + p, in[c][n]);
                continue;
            }
            const Dof* lanes = b.lane_places + Index{~p >> 1} * W;
            if (~p & 1) {
                for (int c = 0; c < C; ++c) {
                    V value = in[c][n];
                    r[c * b.stride + lanes[W - 1]] += value[W - 1];
                    value[W - 1] = 0;
                    L::add(r + c * b.stride + lanes[0], value);
                }
                continue;
            }
            // Lanes one after the other: elements of a batch may share dofs.
            for (int c = 0; c < C; ++c)
                for (int l = 0; l < W; ++l) r[c * b.stride + lanes[l]] += in[c][n][l];
        }
    }
};

template <class Real>
struct Access<Real, Lanes::events> {
    using L = Lane<Real>;
    using V = typename L::Vector;
    using Data = Real;  // shared by all lanes
    static constexpr int W = L::width;

    template <int C, int Nodes>
    static WAVETREE_INLINE void gather(const Batches<Real>&, const Dof* places, const Real* u, V (&out)[C][Nodes]) {
        const V* from = reinterpret_cast<const V*>(u);
        for (int n = 0; n < Nodes; ++n)
            for (int c = 0; c < C; ++c) out[c][n] = from[Index{places[n]} * C + c];
    }

    template <int C, int Nodes>
    static WAVETREE_INLINE void prefetch(const Batches<Real>&, const Dof* places, const Real* u, const Real* r) {
        for (int n = 0; n < Nodes; ++n)
            for (int c = 0; c < C; ++c) {
                __builtin_prefetch(u + (Index{places[n]} * C + c) * W);
                __builtin_prefetch(r + (Index{places[n]} * C + c) * W, 1);
            }
    }

    template <int C, int Nodes>
    static WAVETREE_INLINE void scatter(const Batches<Real>&, const Dof* places, const V (&in)[C][Nodes], Real* r) {
        V* to = reinterpret_cast<V*>(r);
        for (int n = 0; n < Nodes; ++n)
            for (int c = 0; c < C; ++c) to[Index{places[n]} * C + c] += in[c][n];
    }
};

}  // namespace wavetree::WAVETREE_ISA
