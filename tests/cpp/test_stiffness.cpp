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

constexpr GeometryClass all_classes[] = {GeometryClass::affine, GeometryClass::multilinear, GeometryClass::stored};

// Elements of one geometry class.
std::unique_ptr<Bed> make_bed(int order, GeometryClass geometry_class, const std::vector<int>& n) {
    Random random(100 * order + static_cast<int>(geometry_class));
    auto owned = grid(n, geometry_class == GeometryClass::stored ? 3 : 1);
    if (geometry_class == GeometryClass::stored) bend(owned);
    if (geometry_class == GeometryClass::multilinear)
        deform(owned, [](const Point& x) {  // no side of an element stays parallel to the opposite one
            return Point{x[0] + 0.12 * std::sin(1.7 * x[1] + 1.3 * x[0] + 0.3 * x[2]),
                         x[1] + 0.1 * std::cos(1.3 * x[0] - x[2] + 0.7 * x[1]),
                         x[2] + 0.11 * std::sin(0.9 * x[0] + 1.1 * x[1] + 0.8 * x[2])};
        });
    if (geometry_class == GeometryClass::affine) shear(owned);
    reorient(owned, random);
    auto bed = std::make_unique<Bed>(owned, order);
    for (GeometryClass found : bed->factors.classes) REQUIRE(found == geometry_class);
    return bed;
}

// Rows of several of the narrowest lanes, elements beside them, and a batch that is padded.
std::vector<int> some_elements(int dim) { return dim == 2 ? std::vector{9, 4} : std::vector{5, 3, 2}; }

template <class Real>
Stiffness<Real> make_stiffness(const Bed& bed, PhysicsId physics, const std::vector<double>& coefficients,
                               const std::string& set = "", int threads = 1, Lanes lanes = Lanes::elements) {
    const int n = static_cast<int>(static_cast<Index>(coefficients.size()) / bed.n_material());
    return {
        {physics, n_components(physics, bed.owned.dim), n, bed.geometry, bed.factors, bed.dofs, set, threads, lanes},
        coefficients.data()};
}

// A field that stands as the operator wants it; where it holds several, number k is (−1/2)^k times this one.
template <class Real>
AlignedVector<Real> spread(const Stiffness<Real>& K, const std::vector<double>& u) {
    AlignedVector<Real> result(static_cast<std::size_t>(K.size()), Real(0));
    for (Index i = 0; i < static_cast<Index>(u.size()); ++i)
        for (int f = 0; f < K.n_fields(); ++f)
            result[K.value(i / K.n_components(), static_cast<int>(i % K.n_components())) + f] =
                static_cast<Real>(std::pow(-0.5, f) * u[i]);
    K.spread(result.data());
    return result;
}

template <class Real>
std::vector<double> product(const Stiffness<Real>& K, const std::vector<double>& u) {
    const auto field = spread(K, u);
    AlignedVector<Real> r(field.size(), Real(0));
    K.apply(field.data(), r.data());
    std::vector<double> result;
    for (Index i = 0; i < static_cast<Index>(u.size()); ++i) {
        Real* at = &r[K.value(i / K.n_components(), static_cast<int>(i % K.n_components()))];
        result.push_back(at[0]);
        for (int f = 0; f < K.n_fields(); ++f) {
            REQUIRE(at[f] == static_cast<Real>(std::pow(-0.5, f) * result.back()));  // powers of two: no rounding
            at[f] = 0;
        }
    }
    for (Real value : r) REQUIRE(value == Real(0));  // copies and places without dof are clean
    return result;
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

// f(physics, bed) for all wave physics, dimensions, orders and geometry; diffusion has kernels of its own precision.
template <class F>
void for_cases(F&& f) {
    for (PhysicsId physics : {PhysicsId::acoustic, PhysicsId::elastic, PhysicsId::anisotropic})
        for (int dim : {2, 3})
            for (int order = 1; order <= 8; ++order)
                for (GeometryClass geometry_class : all_classes) {
                    CAPTURE(static_cast<int>(physics));
                    CAPTURE(dim);
                    CAPTURE(order);
                    CAPTURE(static_cast<int>(geometry_class));
                    f(physics, *make_bed(order, geometry_class, some_elements(dim)));
                }
}

// f(K) for every kernel set and meaning of the lanes that there are kernels for.
template <class Real, class F>
void for_operators(const Bed& bed, PhysicsId physics, const std::vector<double>& coefficients, F&& f) {
    for (const KernelSet* set : usable_kernel_sets())
        for (Lanes lanes : {Lanes::elements, Lanes::events}) {
            ElementKernels<Real> kernels;
            if (!find_kernels<Real>(*set, {physics, bed.owned.dim, bed.order, GeometryClass::stored, lanes}, kernels))
                continue;
            CAPTURE(set->name);
            CAPTURE(sizeof(Real));
            CAPTURE(static_cast<int>(lanes));
            f(make_stiffness<Real>(bed, physics, coefficients, set->name, 1, lanes));
        }
}

Index n_values(const Bed& bed, PhysicsId physics) { return bed.dofs.n_dofs * n_components(physics, bed.owned.dim); }

// One operator of one kernel set against the reference, with symmetry and constants.
template <class Real>
void check_operator(const Bed& bed, PhysicsId physics, const std::vector<double>& coefficients,
                    const std::vector<double>& u, const std::vector<double>& expected) {
    Random random(31);
    const auto v = rounded_to_float(random_values(static_cast<Index>(u.size()), random));
    for_operators<Real>(bed, physics, coefficients, [&](const Stiffness<Real>& K) {
        const auto Ku = product(K, u), Kv = product(K, v);
        const double scale = largest(expected);
        CHECK(difference(Ku, expected) <= tolerance<Real> * scale);
        CHECK(std::abs(dot(v, Ku) - dot(u, Kv)) <= tolerance<Real> * std::sqrt(dot(v, v) * dot(Ku, Ku)));
        CHECK(dot(u, Ku) > 0.0);
        CHECK(largest(product(K, std::vector<double>(u.size(), 1.0))) <= tolerance<Real> * scale);
    });
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
    for_operators<Real>(bed, physics, expected.k, [&](const Stiffness<Real>& K) {
        AlignedVector<Real> sums(static_cast<std::size_t>(K.gradient_size()), Real(0));
        const auto field = spread(K, expected.u), adjoint = spread(K, expected.lambda);
        K.accumulate(Real(0.75), field.data(), adjoint.data(), sums.data());
        K.accumulate(Real(0.25), field.data(), adjoint.data(), sums.data());
        for (int f = 0; f < K.n_fields(); ++f) {  // both fields are a multiple: the gradient is its square
            std::vector<double> gradient(expected.k.size(), 0.0);
            K.add_gradient(sums.data(), f, gradient.data());
            for (double& value : gradient) value *= std::pow(4.0, f);
            CHECK(std::abs(dot(gradient, expected.direction) - expected.along) <= tolerance<Real> * expected.scale);
            CHECK(std::abs(gradient[expected.entry] - expected.by_entry) <= tolerance<Real> * largest(gradient));
        }
    });
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
            const auto bed = make_bed(order, GeometryClass::stored, some_elements(dim));
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
        for (GeometryClass geometry_class : all_classes) {
            const auto bed =
                make_bed(3, geometry_class, {40, 31});  // several blocks of elements, the last batches padded
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
            const auto bed = make_bed(2, GeometryClass::stored, n);
            Random random(12);
            const auto k = random_stiffness(physics, bed->owned.dim, bed->n_material(), random);
            const auto u = random_values(n_values(*bed, physics), random);
            const auto K = make_stiffness<double>(*bed, physics, k);
            CHECK(K.numbering().blocks().size() > 1);
            CHECK_FALSE(K.numbering().copies().empty());
            const auto expected = Reference(bed->owned.view(), 2).stiffness(physics, k, u);
            CHECK(difference(product(K, u), expected) <= 1e-12 * largest(expected));
        }
}
