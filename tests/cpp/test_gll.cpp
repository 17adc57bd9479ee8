#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "wavetree/basis/gll.hpp"
#include "wavetree/core/errors.hpp"

using namespace wavetree;

TEST_CASE("points and weights are symmetric, ascending and end at ±1") {
    for (int order = 1; order <= max_order; ++order) {
        CAPTURE(order);
        const Gll gll(order);
        REQUIRE(gll.n() == order + 1);
        CHECK(gll.points.front() == -1.0);
        CHECK(gll.points.back() == 1.0);
        for (int i = 0; i <= order; ++i) {
            CHECK(gll.points[i] == -gll.points[order - i]);
            CHECK(gll.weights[i] == doctest::Approx(gll.weights[order - i]).epsilon(1e-15));
            if (i > 0) CHECK(gll.points[i] > gll.points[i - 1]);
        }
    }
}

TEST_CASE("quadrature is exact up to degree 2 order − 1 and not beyond") {
    for (int order = 1; order <= max_order; ++order)
        for (int degree = 0; degree <= 2 * order; ++degree) {
            CAPTURE(order);
            CAPTURE(degree);
            const Gll gll(order);
            double sum = 0.0;
            for (int i = 0; i <= order; ++i) sum += gll.weights[i] * std::pow(gll.points[i], degree);
            const double error = std::abs(sum - (degree % 2 ? 0.0 : 2.0 / (degree + 1)));
            if (degree < 2 * order)
                CHECK(error < 1e-15 * (order + 1));
            else
                CHECK(error > 1e-6);
        }
}

TEST_CASE("D differentiates polynomials up to the order exactly") {
    for (int order = 1; order <= max_order; ++order)
        for (int degree = 0; degree <= order; ++degree) {
            CAPTURE(order);
            CAPTURE(degree);
            const Gll gll(order);
            for (int i = 0; i <= order; ++i) {
                double slope = 0.0;
                for (int j = 0; j <= order; ++j) slope += gll.D[i * gll.n() + j] * std::pow(gll.points[j], degree);
                const double expected = degree == 0 ? 0.0 : degree * std::pow(gll.points[i], degree - 1);
                CHECK(std::abs(slope - expected) < 1e-13);
            }
        }
}

TEST_CASE("known points and weights of order 4") {
    const Gll gll(4);
    CHECK(gll.points[3] == doctest::Approx(std::sqrt(3.0 / 7.0)).epsilon(1e-15));
    CHECK(gll.weights[0] == doctest::Approx(1.0 / 10.0).epsilon(1e-15));
    CHECK(gll.weights[1] == doctest::Approx(49.0 / 90.0).epsilon(1e-15));
    CHECK(gll.weights[2] == doctest::Approx(32.0 / 45.0).epsilon(1e-15));
}

TEST_CASE("Lagrange polynomials interpolate and differentiate between the nodes") {
    const Gll gll(5);
    const auto f = [](double x) { return 1.0 + x * (2.0 - x * (0.5 + x * (1.0 - 0.3 * x * x))); };
    const auto slope = [](double x) { return 2.0 - x - 3.0 * x * x + 1.5 * std::pow(x, 4); };
    for (double x : {-1.0, -0.37, 0.0, 0.81, 1.0}) {
        double value[6], derivative[6], sum = 0.0, rise = 0.0;
        lagrange(gll.points, x, value);
        lagrange_derivative(gll.points, x, derivative);
        for (int j = 0; j < 6; ++j) sum += value[j] * f(gll.points[j]), rise += derivative[j] * f(gll.points[j]);
        CHECK(sum == doctest::Approx(f(x)).epsilon(1e-14));
        CHECK(rise == doctest::Approx(slope(x)).epsilon(1e-13));
    }
}

TEST_CASE("an order that is not compiled is refused by name") {
    CHECK_THROWS_WITH_AS(Gll(0), "order is 0; expected 1 to 8", InputError);
    CHECK_THROWS_WITH_AS(Gll(9), "order is 9; expected 1 to 8", InputError);
}
