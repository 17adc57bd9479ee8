#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>

#include "meshes.hpp"
#include "reference.hpp"
#include "wavetree/operators/stiffness.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

// A mesh with everything that a stiffness operator on it needs.
struct Bed {
    Bed(const OwnedMesh& mesh, int polynomial_order)
        : owned(mesh),
          order(polynomial_order),
          geometry(owned.view(), order),
          factors(geometry),
          dofs(make_dof_map(owned.view(), order)) {}

    Index n_material() const { return owned.view().n_elements * geometry.n_nodes(); }

    OwnedMesh owned;
    int order;
    Geometry geometry;
    Factors factors;
    DofMap dofs;
};

// `affine` tells whether kernels for constant Jacobians may serve the mesh.
std::unique_ptr<Bed> make_bed(int order, bool affine, std::vector<int> n = {5, 4}) {
    Random random(100 * order + affine);
    auto owned = grid(n, affine ? 1 : 3);
    (affine ? shear : bend)(owned);
    reorient(owned, random);
    auto bed = std::make_unique<Bed>(owned, order);
    REQUIRE(bed->factors.affine == affine);
    return bed;
}

template <class Real>
Stiffness<Real> make_stiffness(const Bed& bed, PhysicsId physics, const std::vector<double>& coefficients,
                               const std::string& set = "", int threads = 1) {
    const int n = static_cast<int>(static_cast<Index>(coefficients.size()) / bed.n_material());
    return {{physics, n, bed.geometry, bed.factors, bed.dofs, set, threads}, coefficients.data()};
}

template <class Real>
AlignedVector<Real> spread(const Stiffness<Real>& K, const std::vector<double>& u) {
    AlignedVector<Real> result(static_cast<std::size_t>(K.size()), Real(0));
    std::copy(u.begin(), u.end(), result.begin());
    K.spread(result.data());
    return result;
}

template <class Real>
std::vector<double> product(const Stiffness<Real>& K, const std::vector<double>& u) {
    const auto field = spread(K, u);
    AlignedVector<Real> r(field.size(), Real(0));
    K.apply(field.data(), r.data());
    for (Index i = K.n_dofs(); i < K.size(); ++i) REQUIRE(r[i] == Real(0));  // copies are clean again
    return {r.begin(), r.begin() + K.n_dofs()};
}

double largest(const std::vector<double>& x) {
    double result = 0.0;
    for (double value : x) result = std::max(result, std::abs(value));
    return result;
}

double difference(std::vector<double> a, const std::vector<double>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
    return largest(a);
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::vector<double> rounded_to_float(std::vector<double> x) {
    for (double& value : x) value = static_cast<float>(value);
    return x;
}

template <class Real>
constexpr double tolerance = sizeof(Real) == sizeof(float) ? 1e-5 : 1e-13;

// Positive definite tensors, upper triangles.
std::vector<double> random_tensors(Index n, Random& random) {
    auto result = random_values(3 * n, random, 1.0, 2.0);
    for (Index i = 0; i < n; ++i) result[n + i] = 0.8 * (result[n + i] - 1.5);
    return result;
}

// One operator of one kernel set against the reference, with symmetry and constants.
template <class Real>
void check_operator(const Bed& bed, PhysicsId physics, const std::vector<double>& coefficients,
                    const std::vector<double>& u, const std::vector<double>& expected) {
    Random random(31);
    const auto v = rounded_to_float(random_values(bed.dofs.n_dofs, random));
    for (const KernelSet* set : usable_kernel_sets()) {
        CAPTURE(set->name);
        CAPTURE(sizeof(Real));
        const auto K = make_stiffness<Real>(bed, physics, coefficients, set->name);
        const auto Ku = product(K, u), Kv = product(K, v);
        const double scale = largest(expected);
        CHECK(difference(Ku, expected) <= tolerance<Real> * scale);
        CHECK(std::abs(dot(v, Ku) - dot(u, Kv)) <= tolerance<Real> * std::sqrt(dot(v, v) * dot(Ku, Ku)));
        CHECK(dot(u, Ku) > 0.0);
        CHECK(largest(product(K, std::vector<double>(u.size(), 1.0))) <= tolerance<Real> * scale);
    }
}

}  // namespace

TEST_CASE("acoustic stiffness against the reference: sets × orders × precisions × geometry classes") {
    for (int order = 1; order <= 8; ++order)
        for (bool affine : {true, false}) {
            CAPTURE(order);
            CAPTURE(affine);
            const auto bed = make_bed(order, affine);
            Random random(order);
            const auto k = random_values(bed->n_material(), random, 0.5, 2.0);
            const auto u = rounded_to_float(random_values(bed->dofs.n_dofs, random));
            const auto expected = Reference(bed->owned.view(), order).stiffness(k, u);
            check_operator<float>(*bed, PhysicsId::acoustic, k, u, expected);
            check_operator<double>(*bed, PhysicsId::acoustic, k, u, expected);
        }
}

TEST_CASE("diffusion against the reference") {
    for (int order = 1; order <= 8; ++order) {
        CAPTURE(order);
        const auto bed = make_bed(order, false);
        Random random(order);
        const auto tensor = random_tensors(bed->n_material(), random);
        const auto u = rounded_to_float(random_values(bed->dofs.n_dofs, random));
        const auto expected = Reference(bed->owned.view(), order).stiffness(tensor, u);
        check_operator<double>(*bed, PhysicsId::diffusion, tensor, u, expected);
    }
}

TEST_CASE_TEMPLATE("the same bits for every number of threads", Real, float, double) {
    for (bool affine : {true, false}) {
        const auto bed = make_bed(3, affine, {40, 31});  // several blocks of elements, the last batches padded
        Random random(3);
        const auto k = random_values(bed->n_material(), random, 0.5, 2.0);
        const auto u = random_values(bed->dofs.n_dofs, random);
        for (const KernelSet* set : usable_kernel_sets()) {
            CAPTURE(set->name);
            const auto one = product(make_stiffness<Real>(*bed, PhysicsId::acoustic, k, set->name, 1), u);
            for (int threads : {2, 3}) {
                const auto many = product(make_stiffness<Real>(*bed, PhysicsId::acoustic, k, set->name, threads), u);
                CHECK(std::memcmp(one.data(), many.data(), one.size() * sizeof(double)) == 0);
            }
        }
    }
}

TEST_CASE("several blocks of elements add up to the reference") {
    const auto bed = make_bed(2, false, {40, 31});
    Random random(12);
    const auto k = random_values(bed->n_material(), random, 0.5, 2.0);
    const auto u = random_values(bed->dofs.n_dofs, random);
    const auto K = make_stiffness<double>(*bed, PhysicsId::acoustic, k);
    CHECK(K.size() > K.n_dofs() + 1);  // there are interface copies
    const auto expected = Reference(bed->owned.view(), 2).stiffness(k, u);
    CHECK(difference(product(K, u), expected) <= 1e-13 * largest(expected));
}

TEST_CASE_TEMPLATE("the accumulated gradient is the derivative of λᵀ K(m) u", Real, float, double) {
    for (int order = 1; order <= 8; ++order)
        for (bool affine : {true, false}) {
            CAPTURE(order);
            CAPTURE(affine);
            const auto bed = make_bed(order, affine);
            Random random(50 + order);
            const Index n = bed->n_material();
            const auto k = random_values(n, random, 0.5, 2.0), direction = random_values(n, random);
            const auto u = rounded_to_float(random_values(bed->dofs.n_dofs, random));
            const auto lambda = rounded_to_float(random_values(bed->dofs.n_dofs, random));
            // K is linear in m, so a difference over any step is exact.
            const Reference reference(bed->owned.view(), order);
            const auto by_direction = reference.stiffness(direction, u);
            const double expected = dot(lambda, by_direction);
            const double scale = std::sqrt(dot(lambda, lambda) * dot(by_direction, by_direction));
            for (const KernelSet* set : usable_kernel_sets()) {
                CAPTURE(set->name);
                const auto K = make_stiffness<Real>(*bed, PhysicsId::acoustic, k, set->name);
                AlignedVector<Real> sums(static_cast<std::size_t>(K.gradient_size()), Real(0));
                const auto field = spread(K, u), adjoint = spread(K, lambda);
                K.accumulate(Real(0.75), field.data(), adjoint.data(), sums.data());
                K.accumulate(Real(0.25), field.data(), adjoint.data(), sums.data());
                std::vector<double> gradient(static_cast<std::size_t>(n), 0.0);
                K.add_gradient(bed->factors, sums.data(), gradient.data());
                CHECK(std::abs(dot(gradient, direction) - expected) <= tolerance<Real> * scale);
                // One entry by itself: K with a unit coefficient at one node.
                std::vector<double> unit(static_cast<std::size_t>(n), 0.0);
                const std::size_t at = random() % unit.size();
                unit[at] = 1.0;
                const double entry = dot(lambda, reference.stiffness(unit, u));
                CHECK(std::abs(gradient[at] - entry) <= tolerance<Real> * largest(gradient));
            }
        }
}
