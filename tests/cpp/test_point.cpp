#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "meshes.hpp"
#include "reference.hpp"
#include "wavetree/operators/point.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

struct Case {
    OwnedMesh owned;
    DofMap dofs;
    std::vector<double> positions;
    PointOperator points;
};

Case make_case(int dim, int order, Index n) {
    Random random(17 * dim + order);
    auto owned = grid(dim == 2 ? std::vector{4, 3} : std::vector{2, 2, 2}, std::min(order, 2));
    bend(owned);
    reorient(owned, random);
    std::vector<double> positions;
    for (Index i = 0; i < n; ++i) {
        const auto xi = random_values(3, random);
        const auto x = map_point(owned.view(), static_cast<Index>(random() % owned.view().n_elements), xi.data());
        positions.insert(positions.end(), x.begin(), x.begin() + dim);
    }
    DofMap dofs = make_dof_map(owned.view(), order);
    PointOperator points(owned.view(), dofs, order, positions.data(), n);
    return {std::move(owned), std::move(dofs), std::move(positions), std::move(points)};
}

}  // namespace

TEST_CASE("the coordinate functions are sampled exactly") {
    for (int dim : {2, 3})
        for (int order = 1; order <= 8; order += dim - 1) {
            CAPTURE(dim);
            CAPTURE(order);
            const Index n = 20;
            const Case c = make_case(dim, order, n);
            const auto x = Reference(c.owned.view(), order).coordinates();
            std::vector<double> field(static_cast<std::size_t>(c.dofs.n_dofs)), values(n);
            for (int d = 0; d < dim; ++d) {
                for (std::size_t i = 0; i < field.size(); ++i) field[i] = x[i * dim + d];
                c.points.sample(field.data(), values.data());
                for (Index p = 0; p < n; ++p) CHECK(std::abs(values[p] - c.positions[p * dim + d]) < 1e-12);
            }
        }
}

TEST_CASE("inject is the transpose of sample") {
    Random random(4);
    const Index n = 30;
    const Case c = make_case(2, 5, n);
    const auto u = random_values(c.dofs.n_dofs, random), v = random_values(n, random);
    std::vector<double> sampled(n), injected(u.size());
    c.points.sample(u.data(), sampled.data());
    c.points.inject(1.0, v.data(), injected.data());
    const double left = std::inner_product(v.begin(), v.end(), sampled.begin(), 0.0);
    const double right = std::inner_product(u.begin(), u.end(), injected.begin(), 0.0);
    CHECK(std::abs(left - right) < 1e-13 * n);
    CHECK(std::abs(left) > 1e-2);
}

TEST_CASE("injecting adds the scaled values") {
    const Case c = make_case(2, 3, 2);
    const double values[] = {2.0, -0.5};
    std::vector<float> f(static_cast<std::size_t>(c.dofs.n_dofs), 1.0f);
    c.points.inject(-3.0, values, f.data());
    // Shape functions sum to one, so what arrives is the sum of what was sent.
    const double arrived = std::accumulate(f.begin(), f.end(), 0.0) - static_cast<double>(f.size());
    CHECK(arrived == doctest::Approx(-3.0 * (2.0 - 0.5)).epsilon(1e-5));
}
