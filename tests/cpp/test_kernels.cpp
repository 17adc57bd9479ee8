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
int count(const KernelSet& set, PhysicsId physics, GeometryClass geometry, Lanes lanes) {
    int found = 0;
    for (int dim = 1; dim <= 4; ++dim)
        for (int order = 0; order <= 12; ++order) {
            ElementKernels<Real> kernels;
            if (!find_kernels<Real>(set, {physics, dim, order, geometry, lanes}, kernels)) continue;
            ++found;
            CHECK(static_cast<bool>(kernels.apply));
            CHECK(static_cast<bool>(kernels.accumulate) == (physics != PhysicsId::diffusion));
            CHECK(kernels.width == width<Real>(set));
        }
    return found;
}

}  // namespace

// Every instance costs compile time on every installation: whoever adds some changes these numbers and
// looks at the build's budget (4 minutes on 2 cores, 10 MB).
TEST_CASE("the number of instantiated kernels") {
    // On the general path three wave physics, two dimensions, eight orders, two precisions; diffusion in double
    // alone. On the wide sets acoustic and elastic waves, three orders, in float: affine and multilinear elements, and
    // affine and other ones with events in lanes.
    constexpr int general = 3 * 2 * 8 * 2 + 2 * 8, fast = 2 * 2 * 3 * 4;
    const std::map<std::string, int> expected = {{"base", general}, {"v3", general + fast}, {"v4", general + fast}};
    std::set<std::string> names;
    for (const KernelSet* set : compiled_kernel_sets()) CHECK(names.insert(set->name).second);
    for (const std::string& name : names) CHECK(expected.count(name) == 1);
    for (const KernelSet* set : usable_kernel_sets()) {
        CAPTURE(set->name);
        CHECK(names.count(set->name) == 1);
        int total = 0;
        for (PhysicsId physics :
             {PhysicsId::acoustic, PhysicsId::elastic, PhysicsId::anisotropic, PhysicsId::diffusion})
            for (GeometryClass geometry : {GeometryClass::affine, GeometryClass::multilinear, GeometryClass::stored})
                for (Lanes lanes : {Lanes::elements, Lanes::events})
                    total +=
                        count<float>(*set, physics, geometry, lanes) + count<double>(*set, physics, geometry, lanes);
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
    for (const KernelSet* set : usable_kernel_sets())
        for (int each : {1, 3, 16}) {
            CAPTURE(set->name);
            CAPTURE(each);
            Random random(9);
            const auto values = [&](Index count) {
                const auto x = random_values(count, random);
                return AlignedVector<Real>(x.begin(), x.end());
            };
            auto u = values(n * each), z = values(n * each);
            const auto a = values(n), b = values(n), u_before = u, z_before = z;
            const auto kernels = update_kernels<Real>(*set);
            kernels.damp(&z[begin * each], &a[begin], end - begin, each);
            kernels.advance(&u[begin * each], &z[begin * each], &b[begin], end - begin, each);
            for (Index i = 0; i < n * each; ++i) {
                const bool inside = i / each >= begin && i / each < end;
                const double damped = inside ? double(a[i / each]) * z_before[i] : double(z_before[i]);
                CHECK(std::abs(z[i] - damped) <= tolerance);
                CHECK(std::abs(u[i] - (u_before[i] - (inside ? b[i / each] * damped : 0.0))) <= tolerance);
            }
        }
}
