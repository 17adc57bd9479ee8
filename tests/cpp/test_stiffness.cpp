#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>

#include "media.hpp"
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
std::unique_ptr<Bed> make_bed(int order, bool affine, const std::vector<int>& n) {
    Random random(100 * order + affine);
    auto owned = grid(n, affine ? 1 : 3);
    (affine ? shear : bend)(owned);
    reorient(owned, random);
    auto bed = std::make_unique<Bed>(owned, order);
    REQUIRE(bed->factors.affine == affine);
    return bed;
}

// One full batch of the widest lanes and one that is padded.
std::vector<int> some_elements(int dim) { return dim == 2 ? std::vector{5, 4} : std::vector{3, 3, 2}; }

template <class Real>
Stiffness<Real> make_stiffness(const Bed& bed, PhysicsId physics, const std::vector<double>& coefficients,
                               const std::string& set = "", int threads = 1) {
    const int n = static_cast<int>(static_cast<Index>(coefficients.size()) / bed.n_material());
    return {{physics, n_components(physics, bed.owned.dim), n, bed.geometry, bed.factors, bed.dofs, set, threads},
            coefficients.data()};
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
    for (Index i = K.n_values(); i < K.size(); ++i) REQUIRE(r[i] == Real(0));  // copies are clean again
    return {r.begin(), r.begin() + K.n_values()};
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
constexpr double tolerance = sizeof(Real) == sizeof(float) ? 1e-5 : 1e-12;

// f(physics, dim, order, affine) for all wave physics; diffusion has kernels of its own precision.
template <class F>
void for_cases(F&& f) {
    for (PhysicsId physics : {PhysicsId::acoustic, PhysicsId::elastic, PhysicsId::anisotropic})
        for (int dim : {2, 3})
            for (int order = 1; order <= 8; ++order)
                for (bool affine : {true, false}) {
                    CAPTURE(static_cast<int>(physics));
                    CAPTURE(dim);
                    CAPTURE(order);
                    CAPTURE(affine);
                    f(physics, *make_bed(order, affine, some_elements(dim)));
                }
}

Index n_values(const Bed& bed, PhysicsId physics) { return bed.dofs.n_dofs * n_components(physics, bed.owned.dim); }

// One operator of one kernel set against the reference, with symmetry and constants.
template <class Real>
void check_operator(const Bed& bed, PhysicsId physics, const std::vector<double>& coefficients,
                    const std::vector<double>& u, const std::vector<double>& expected) {
    Random random(31);
    const auto v = rounded_to_float(random_values(static_cast<Index>(u.size()), random));
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

// λᵀ K(m) u is linear in m, so its difference over any step is exact: along a random direction, and by one entry.
struct Derivative {
    Derivative(const Bed& bed, PhysicsId physics, Random random)
        : k(random_stiffness(physics, bed.owned.dim, bed.n_material(), random)),
          direction(random_values(static_cast<Index>(k.size()), random)),
          u(rounded_to_float(random_values(n_values(bed, physics), random))),
          lambda(rounded_to_float(random_values(n_values(bed, physics), random))),
          entry(random() % k.size()) {
        const Reference reference(bed.owned.view(), bed.order);
        const auto by_direction = reference.stiffness(physics, direction, u);
        along = dot(lambda, by_direction);
        scale = std::sqrt(dot(lambda, lambda) * dot(by_direction, by_direction));
        std::vector<double> unit(k.size(), 0.0);
        unit[entry] = 1.0;
        by_entry = dot(lambda, reference.stiffness(physics, unit, u));
    }

    std::vector<double> k, direction, u, lambda;
    std::size_t entry;
    double along, scale, by_entry;
};

// The gradient that two calls add up.
template <class Real>
void check_gradient(const Bed& bed, PhysicsId physics, const Derivative& expected) {
    for (const KernelSet* set : usable_kernel_sets()) {
        CAPTURE(set->name);
        CAPTURE(sizeof(Real));
        const auto K = make_stiffness<Real>(bed, physics, expected.k, set->name);
        AlignedVector<Real> sums(static_cast<std::size_t>(K.gradient_size()), Real(0));
        const auto field = spread(K, expected.u), adjoint = spread(K, expected.lambda);
        K.accumulate(Real(0.75), field.data(), adjoint.data(), sums.data());
        K.accumulate(Real(0.25), field.data(), adjoint.data(), sums.data());
        std::vector<double> gradient(expected.k.size(), 0.0);
        K.add_gradient(bed.factors, sums.data(), gradient.data());
        CHECK(std::abs(dot(gradient, expected.direction) - expected.along) <= tolerance<Real> * expected.scale);
        CHECK(std::abs(gradient[expected.entry] - expected.by_entry) <= tolerance<Real> * largest(gradient));
    }
}

}  // namespace

TEST_CASE("stiffness against the reference: physics × dimensions × orders × precisions × sets × geometry classes") {
    for_cases([](PhysicsId physics, const Bed& bed) {
        Random random(bed.order);
        const auto k = random_stiffness(physics, bed.owned.dim, bed.n_material(), random);
        const auto u = rounded_to_float(random_values(n_values(bed, physics), random));
        const auto expected = Reference(bed.owned.view(), bed.order).stiffness(physics, k, u);
        check_operator<float>(bed, physics, k, u, expected);
        check_operator<double>(bed, physics, k, u, expected);
    });
}

TEST_CASE("diffusion against the reference") {
    for (int dim : {2, 3})
        for (int order = 1; order <= 8; ++order) {
            CAPTURE(dim);
            CAPTURE(order);
            const auto bed = make_bed(order, false, some_elements(dim));
            Random random(order);
            const auto tensor = random_stiffness(PhysicsId::diffusion, dim, bed->n_material(), random);
            const auto u = rounded_to_float(random_values(bed->dofs.n_dofs, random));
            const auto expected = Reference(bed->owned.view(), order).stiffness(PhysicsId::diffusion, tensor, u);
            check_operator<double>(*bed, PhysicsId::diffusion, tensor, u, expected);
        }
}

TEST_CASE("the accumulated gradient is the derivative of λᵀ K(m) u") {
    for_cases([](PhysicsId physics, const Bed& bed) {
        const Derivative expected(bed, physics, Random(50 + bed.order));
        check_gradient<float>(bed, physics, expected);
        check_gradient<double>(bed, physics, expected);
    });
}

TEST_CASE_TEMPLATE("the same bits for every number of threads", Real, float, double) {
    for (PhysicsId physics : {PhysicsId::acoustic, PhysicsId::elastic})
        for (bool affine : {true, false}) {
            const auto bed = make_bed(3, affine, {40, 31});  // several blocks of elements, the last batches padded
            Random random(3);
            const auto k = random_stiffness(physics, 2, bed->n_material(), random);
            const auto u = random_values(n_values(*bed, physics), random);
            for (const KernelSet* set : usable_kernel_sets()) {
                CAPTURE(set->name);
                const auto one = product(make_stiffness<Real>(*bed, physics, k, set->name, 1), u);
                for (int threads : {2, 3}) {
                    const auto many = product(make_stiffness<Real>(*bed, physics, k, set->name, threads), u);
                    CHECK(std::memcmp(one.data(), many.data(), one.size() * sizeof(double)) == 0);
                }
            }
        }
}

TEST_CASE("several blocks of elements add up to the reference") {
    for (PhysicsId physics : {PhysicsId::acoustic, PhysicsId::elastic, PhysicsId::anisotropic})
        for (const auto& n : {std::vector{40, 31}, std::vector{10, 9, 8}}) {
            CAPTURE(static_cast<int>(physics));
            const auto bed = make_bed(2, false, n);
            Random random(12);
            const auto k = random_stiffness(physics, bed->owned.dim, bed->n_material(), random);
            const auto u = random_values(n_values(*bed, physics), random);
            const auto K = make_stiffness<double>(*bed, physics, k);
            CHECK(K.size() > K.n_values() + K.n_components());  // there are interface copies
            const auto expected = Reference(bed->owned.view(), 2).stiffness(physics, k, u);
            CHECK(difference(product(K, u), expected) <= 1e-12 * largest(expected));
        }
}
