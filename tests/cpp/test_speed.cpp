// Kernels against the plain loop that one would write without lanes: one element at a time, scalar, sums
// factorised, geometry stored.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

#include "media.hpp"
#include "wavetree/operators/stiffness.hpp"
#include "wavetree/physics/acoustic.hpp"
#include "wavetree/physics/elastic.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

constexpr int order = 4, N1 = order + 1;

template <class Physics, int Dim>
class Plain {
  public:
    static constexpr int Nodes = Dim == 2 ? N1 * N1 : N1 * N1 * N1;
    static constexpr int C = Physics::template n_components<Dim>, K = Physics::template n_stiffness<Dim>;

    // coefficients: (K, n_elements, n_nodes)
    Plain(const Geometry& geometry, const Factors& factors, const DofMap& map, const std::vector<double>& coefficients)
        : dofs_(map.element_dofs.begin(), map.element_dofs.end()),
          D_(geometry.gll().D.begin(), geometry.gll().D.end()) {
        const std::size_t n = dofs_.size();
        double J[Nodes * Dim * Dim], inverse[Dim * Dim];
        for (Index e = 0; e < geometry.mesh().n_elements; ++e) {
            geometry.jacobians(e, J);
            for (int node = 0; node < Nodes; ++node) {
                invert(Dim, &J[node * Dim * Dim], inverse);
                dxi_dx_.insert(dxi_dx_.end(), inverse, inverse + Dim * Dim);
            }
        }
        for (std::size_t i = 0; i < n; ++i)
            for (int k = 0; k < K; ++k)
                k_.push_back(static_cast<float>(coefficients[k * n + i] * factors.mass_weights[i]));
    }

    // r += K u
    void apply(const float* u, float* r) const {
        float value[C][Nodes], g[C][Dim][Nodes];
        for (std::size_t begin = 0; begin < dofs_.size(); begin += Nodes) {
            const Dof* dofs = &dofs_[begin];
            for (int c = 0; c < C; ++c)
                for (int n = 0; n < Nodes; ++n) value[c][n] = u[Index{dofs[n]} * C + c];
            for (int c = 0; c < C; ++c) all_axes([&]<int A>() { differentiate<power(N1, A)>(value[c], g[c][A]); });
            for (int n = 0; n < Nodes; ++n) flux(begin + static_cast<std::size_t>(n), n, g);
            for (int c = 0; c < C; ++c) {
                std::fill_n(value[c], Nodes, 0.0f);
                all_axes([&]<int A>() { differentiate_transpose<power(N1, A)>(g[c][A], value[c]); });
            }
            for (int c = 0; c < C; ++c)
                for (int n = 0; n < Nodes; ++n) r[Index{dofs[n]} * C + c] += value[c][n];
        }
    }

  private:
    template <class F>
    static void all_axes(F&& f) {
        f.template operator()<0>();
        f.template operator()<1>();
        if constexpr (Dim == 3) f.template operator()<2>();
    }
    // Nodes of a line along an axis are Stride apart.
    template <int Stride>
    void differentiate(const float* in, float* out) const {
        for (int begin = 0; begin < Nodes; begin += N1 * Stride)
            for (int n = begin; n < begin + Stride; ++n)
                for (int i = 0; i < N1; ++i) {
                    float sum = 0.0f;
                    for (int j = 0; j < N1; ++j) sum += D_[i * N1 + j] * in[n + j * Stride];
                    out[n + i * Stride] = sum;
                }
    }
    template <int Stride>
    void differentiate_transpose(const float* in, float* out) const {
        for (int begin = 0; begin < Nodes; begin += N1 * Stride)
            for (int n = begin; n < begin + Stride; ++n)
                for (int j = 0; j < N1; ++j) {
                    float sum = 0.0f;
                    for (int i = 0; i < N1; ++i) sum += D_[i * N1 + j] * in[n + i * Stride];
                    out[n + j * Stride] += sum;
                }
    }
    void flux(std::size_t at, int n, float (&g)[C][Dim][Nodes]) const {
        const float* dxi_dx = &dxi_dx_[at * Dim * Dim];
        float gradient[C][Dim] = {}, out[C][Dim];
        for (int c = 0; c < C; ++c)
            for (int a = 0; a < Dim; ++a)
                for (int d = 0; d < Dim; ++d) gradient[c][d] += dxi_dx[a * Dim + d] * g[c][a][n];
        Physics::template flux<Dim>(gradient, &k_[at * K], out);
        for (int c = 0; c < C; ++c)
            for (int a = 0; a < Dim; ++a) {
                g[c][a][n] = 0.0f;
                for (int d = 0; d < Dim; ++d) g[c][a][n] += dxi_dx[a * Dim + d] * out[c][d];
            }
    }

    std::vector<Dof> dofs_;
    std::vector<float> dxi_dx_, k_, D_;
};

template <class F>
double seconds_of(F&& f) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// How many times faster the best kernels of this processor are on a deformed mesh. The machine may be shared:
// both take turns, and of each the fastest counts.
template <class Physics, int Dim>
double speed_up(const std::vector<int>& n) {
    Random random(5);
    auto owned = grid(n, 3);
    bend(owned);
    const Geometry geometry(owned.view(), order);
    const Factors factors(geometry);
    const DofMap map = make_dof_map(owned.view(), order);
    const auto k = random_stiffness(Physics::id, Dim, static_cast<Index>(map.element_dofs.size()), random);
    const Plain<Physics, Dim> plain(geometry, factors, map, k);
    constexpr int C = Plain<Physics, Dim>::C, K = Plain<Physics, Dim>::K;
    const Stiffness<float> lanes({Physics::id, C, K, geometry, factors, map, "", 1}, k.data());
    const auto values = random_values(map.n_dofs * C, random);
    std::vector<float> u_plain(values.begin(), values.end()), r_plain(u_plain.size());
    AlignedVector<float> u(static_cast<std::size_t>(lanes.size())), r(u.size());
    const auto at = [&](Index i) { return lanes.value(i / C, static_cast<int>(i % C)); };
    for (Index i = 0; i < map.n_dofs * C; ++i) u[at(i)] = u_plain[i];
    lanes.spread(u.data());
    double best_plain = 1e9, best_lanes = 1e9;
    for (int round = 0; round < 50; ++round) {
        std::fill(r_plain.begin(), r_plain.end(), 0.0f), std::fill(r.begin(), r.end(), 0.0f);
        best_plain = std::min(best_plain, seconds_of([&] { plain.apply(u_plain.data(), r_plain.data()); }));
        best_lanes = std::min(best_lanes, seconds_of([&] { lanes.apply(u.data(), r.data()); }));
    }
    double scale = 0.0, difference = 0.0;
    for (Index i = 0; i < map.n_dofs * C; ++i) {
        scale = std::max(scale, static_cast<double>(std::abs(r_plain[i])));
        difference = std::max(difference, static_cast<double>(std::abs(r_plain[i] - r[at(i)])));
    }
    CHECK(difference <= 1e-5 * scale);
    return best_plain / best_lanes;
}

}  // namespace

TEST_CASE("lanes are at least twice as fast as the plain loop") {
    if (std::string(kernel_set("").name) == "base") return;  // as wide as what the compiler makes of the plain loop
    const double acoustic = speed_up<Acoustic, 2>({48, 48}), elastic = speed_up<Elastic, 3>({10, 10, 10});
    MESSAGE("2-D acoustic " << acoustic << ", 3-D elastic " << elastic);
    CHECK(acoustic >= 2.0);
    CHECK(elastic >= 2.0);
}
