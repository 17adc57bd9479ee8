#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>

#include "meshes.hpp"
#include "wavetree/core/errors.hpp"
#include "wavetree/kernels/isa.hpp"

using namespace wavetree;
using tests::Random;
using tests::random_values;

namespace {

template <class Real>
int count(const KernelSet& set, PhysicsId physics, GeometryClass geometry) {
    int found = 0;
    for (int dim = 1; dim <= 4; ++dim)
        for (int order = 0; order <= 12; ++order) {
            ElementKernels<Real> kernels;
            if (!find_kernels<Real>(set, {physics, dim, order, geometry}, kernels)) continue;
            ++found;
            CHECK(static_cast<bool>(kernels.apply));
            CHECK(static_cast<bool>(kernels.accumulate) == (physics != PhysicsId::diffusion));
            CHECK(kernels.width >= 1);
        }
    return found;
}

}  // namespace

// Every instance costs compile time on every installation: whoever adds some changes these numbers and
// looks at the build's budget (4 minutes on 2 cores, 10 MB).
TEST_CASE("the number of instantiated kernels") {
    // On the general path three wave physics, two dimensions, eight orders, two precisions; diffusion in double
    // alone. For constant Jacobians acoustic and elastic waves, three orders, in float, on the wide sets.
    constexpr int general = 3 * 2 * 8 * 2 + 2 * 8, affine = 2 * 2 * 3;
    const std::map<std::string, int> expected = {{"base", general}, {"v3", general + affine}, {"v4", general + affine}};
    std::set<std::string> names;
    for (const KernelSet* set : compiled_kernel_sets()) CHECK(names.insert(set->name).second);
    for (const std::string& name : names) CHECK(expected.count(name) == 1);
    for (const KernelSet* set : usable_kernel_sets()) {
        CAPTURE(set->name);
        CHECK(names.count(set->name) == 1);
        int total = 0;
        for (PhysicsId physics :
             {PhysicsId::acoustic, PhysicsId::elastic, PhysicsId::anisotropic, PhysicsId::diffusion})
            for (GeometryClass geometry : {GeometryClass::affine, GeometryClass::stored})
                total += count<float>(*set, physics, geometry) + count<double>(*set, physics, geometry);
        CHECK(total == expected.at(set->name));
    }
}

TEST_CASE("kernel sets by name") {
    for (const KernelSet* set : usable_kernel_sets()) CHECK(&kernel_set(set->name) == set);
    CHECK(&kernel_set("") == usable_kernel_sets().front());
    CHECK(std::string(usable_kernel_sets().back()->name) == "base");
    try {
        kernel_set("sse9");
        FAIL("an unknown instruction set was accepted");
    } catch (const InputError& error) {
        const std::string text = error.what();
        CHECK(text.find("instruction set is 'sse9'") == 0);
        CHECK(text.find("base") != std::string::npos);
    }
}

TEST_CASE_TEMPLATE("the time update on any range", Real, float, double) {
    const Index n = 103, begin = 3, end = 100;
    const double tolerance = sizeof(Real) == 4 ? 1e-6 : 1e-15;
    for (const KernelSet* set : usable_kernel_sets()) {
        CAPTURE(set->name);
        Random random(9);
        std::vector<AlignedVector<Real>> x;
        for (int i = 0; i < 5; ++i) {
            const auto values = random_values(n, random);
            x.emplace_back(values.begin(), values.end());
        }
        const auto old = x;
        const Real dt = Real(0.37);
        update_kernel<Real> (*set)({x[0].data(), x[1].data(), x[2].data(), x[3].data(), x[4].data(), dt}, begin, end);
        CHECK(x[3] == old[3]);
        CHECK(x[4] == old[4]);
        for (Index i = 0; i < n; ++i) {
            const bool inside = i >= begin && i < end;
            const double w = double(old[3][i]) * old[1][i] - double(old[4][i]) * old[2][i];
            CHECK(std::abs(x[1][i] - (inside ? w : double(old[1][i]))) <= tolerance);
            CHECK(std::abs(x[0][i] - (old[0][i] + (inside ? double(dt) * w : 0.0))) <= tolerance);
            CHECK(x[2][i] == (inside ? Real(0) : old[2][i]));
        }
    }
}
