#include "media.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "reference.hpp"

namespace wavetree::tests {

namespace {

// Isotropic with a symmetric perturbation, small enough to leave it positive definite.
void random_voigt(int dim, double* out, Index stride, Random& random) {
    const int n = dim == 2 ? 3 : 6;
    const auto noise = random_values(n * (n + 1) / 2, random, -0.04, 0.04);
    int at = 0;
    for (int i = 0; i < n; ++i)
        for (int j = i; j < n; ++j, ++at) {
            const double isotropic = (i < dim && j < dim ? 0.35 : 0.0) + (i == j ? (i < dim ? 0.5 : 0.25) : 0.0);
            out[at * stride] = isotropic + noise[at];
        }
}

}  // namespace

std::vector<double> random_stiffness(PhysicsId physics, int dim, Index n, Random& random) {
    if (physics == PhysicsId::acoustic) return random_values(n, random, 0.7, 1.0);
    const int n_voigt = dim == 2 ? 3 : 6;
    std::vector<double> result;
    if (physics == PhysicsId::elastic) {
        result = random_values(n, random, 0.2, 0.4);
        const auto mu = random_values(n, random, 0.2, 0.3);
        result.insert(result.end(), mu.begin(), mu.end());
    } else if (physics == PhysicsId::anisotropic) {
        result.resize(static_cast<std::size_t>(n * n_voigt * (n_voigt + 1) / 2));
        for (Index i = 0; i < n; ++i) random_voigt(dim, &result[i], n, random);
    } else {
        result = random_values(n * n_voigt, random, -0.2, 0.2);  // a tensor of diffusion
        for (Index i = 0, at = 0; i < dim; at += dim - i, ++i)
            for (Index k = 0; k < n; ++k) result[at * n + k] += 1.0;
    }
    return result;
}

std::vector<double> random_coefficients(PhysicsId physics, int dim, Index n, Random& random) {
    auto result = random_values(n, random, 0.9, 1.3);
    const auto stiffness = random_stiffness(physics, dim, n, random);
    result.insert(result.end(), stiffness.begin(), stiffness.end());
    return result;
}

Tank::Tank(const std::vector<int>& n, int polynomial_order, const std::vector<std::string>& names)
    : owned(grid(n, 2)), order(polynomial_order), physics(names), elements(names.size()) {
    Random random(77);
    reorient(owned, random);
    renumber(owned, random);
    const Mesh view = owned.view();
    const double centre[3] = {}, middle = n[0] / 2;
    for (Index e = 0; e < view.n_elements; ++e)
        elements[names.size() == 2 && map_point(view, e, centre)[0] > middle].push_back(e);
    bend(owned);
    for (std::size_t m = 0; m < names.size(); ++m)
        coefficients.push_back(random_coefficients(physics_traits(names[m], dim()).id, dim(),
                                                   static_cast<Index>(elements[m].size()) * n_local_nodes(order, dim()),
                                                   random));
    sponge.resize(names.size()), absorbing.resize(names.size()), dirichlet.resize(names.size());
}

MeshSetup Tank::mesh(int threads) const { return {owned.view(), order, "", threads}; }

std::vector<MediumSetup> Tank::media() const {
    std::vector<MediumSetup> result;
    for (std::size_t m = 0; m < physics.size(); ++m)
        result.push_back({physics[m], elements[m], coefficients[m].data(),
                          sponge[m].empty() ? nullptr : sponge[m].data(), absorbing[m], dirichlet[m]});
    return result;
}

std::vector<std::vector<Side>> Tank::outer() const {
    std::vector<std::vector<Side>> result(physics.size());
    for (const Side& side : boundary_sides(owned.view()))
        for (std::size_t m = 0; m < physics.size(); ++m)
            if (const auto at = std::find(elements[m].begin(), elements[m].end(), side.element);
                at != elements[m].end())
                result[m].push_back({at - elements[m].begin(), side.side});
    return result;
}

void Tank::damp(double rate) {
    absorbing = outer();
    const int n = n_local_nodes(order, dim());
    for (std::size_t m = 0; m < physics.size(); ++m) {
        sponge[m].clear();
        for (Index e : elements[m])
            for (int node = 0; node < n; ++node) {
                const auto x = map_point(owned.view(), e, node_position(order, dim(), node).data());
                sponge[m].push_back(rate * (1.0 + x[0] + x[1]));
            }
    }
}

double maximum_time_step(const Tank& tank) { return make_simulation<double>(tank).maximum_time_step(); }

std::vector<Tank> all_tanks(int order) {
    std::vector<Tank> tanks;
    for (const auto& n : {std::vector{4, 3}, std::vector{2, 2, 2}})
        for (const std::vector<std::string>& names : std::vector<std::vector<std::string>>{
                 {"acoustic"}, {"elastic"}, {"anisotropic"}, {"acoustic", "elastic"}, {"acoustic", "anisotropic"}})
            tanks.emplace_back(n, order, names);
    return tanks;
}

std::string describe(const Tank& tank) {
    std::string text = std::to_string(tank.dim()) + "-D";
    for (const auto& name : tank.physics) text += " " + name;
    return text;
}

PointRows Rows::view() const {
    const auto n = static_cast<Index>(point.size());
    return {n, positions.data(), elements.data(), n, point.data(), coefficients.data()};
}

std::vector<Rows> random_rows(const Tank& tank, Index n, Random& random, bool with_gradient) {
    std::vector<Rows> result;
    const Mesh view = tank.owned.view();
    for (std::size_t m = 0; m < tank.physics.size(); ++m) {
        const int n_c = n_components(physics_traits(tank.physics[m], tank.dim()).id, tank.dim());
        Rows rows;
        for (Index row = 0; row < n; ++row) {
            const auto xi = random_values(3, random);
            rows.elements.push_back(static_cast<Index>(random() % tank.elements[m].size()));
            const auto x = map_point(view, tank.elements[m][rows.elements.back()], xi.data());
            rows.positions.insert(rows.positions.end(), x.begin(), x.begin() + tank.dim());
            rows.point.push_back(row), rows.derivative.push_back(static_cast<int>(row % 3));
            auto k = random_values(n_c * (1 + tank.dim()), random);
            for (std::size_t i = 0; i < k.size(); ++i)
                if (!with_gradient && i % (1 + tank.dim()) > 0) k[i] = 0.0;
            rows.coefficients.insert(rows.coefficients.end(), k.begin(), k.end());
        }
        result.push_back(std::move(rows));
    }
    return result;
}

Samples random_samples(const std::vector<Rows>& rows, Index stride, Random& random) {
    Samples result;
    for (const Rows& of : rows) result.push_back(random_values(static_cast<Index>(of.point.size()) * stride, random));
    return result;
}

double dot(const Samples& a, const Samples& b) {
    double sum = 0.0;
    for (std::size_t m = 0; m < a.size(); ++m) sum += std::inner_product(a[m].begin(), a[m].end(), b[m].begin(), 0.0);
    return sum;
}

Samples pulses(const std::vector<Rows>& rows, Index stride, double dt) {
    Samples result;
    for (const Rows& of : rows) {
        result.emplace_back();
        for (std::size_t row = 0; row < of.point.size(); ++row)
            for (Index n = 0; n < stride; ++n)
                result.back().push_back(std::exp(-std::pow((static_cast<double>(n) * dt - 0.6) / 0.2, 2)));
    }
    return result;
}

}  // namespace wavetree::tests
