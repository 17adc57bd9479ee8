#include "share.hpp"

#include <algorithm>
#include <numeric>

#include "reference.hpp"
#include "wavetree/operators/coupling.hpp"

namespace wavetree::tests {

namespace {

Index position(const std::vector<Index>& among, Index value) {
    const auto at = std::find(among.begin(), among.end(), value);
    return at == among.end() ? -1 : at - among.begin();
}

std::vector<Index> corner_points(const Mesh& mesh, Index e) {
    std::vector<Index> points;
    for (int node : corner_nodes(mesh.shape_order, mesh.dim)) points.push_back(mesh.element(e)[node]);
    return points;
}

}  // namespace

std::vector<std::pair<Index, Index>> pairs_that_meet(const Tank& tank) {
    std::vector<std::pair<Index, Index>> pairs;
    if (tank.physics.size() < 2) return pairs;
    const Mesh mesh = tank.owned.view();
    std::vector<char> solid(static_cast<std::size_t>(mesh.n_elements), 0);
    for (Index e : tank.elements[1]) solid[e] = 1;
    for (const Side& side : interface_sides(mesh, solid))
        for (Index e : tank.elements[0]) {
            const std::vector<Index> points(mesh.element(e), mesh.element(e + 1));
            const auto nodes = side_nodes(mesh.shape_order, mesh.dim, side.side);
            if (std::all_of(nodes.begin(), nodes.end(),
                            [&](int node) { return position(points, mesh.element(side.element)[node]) >= 0; }))
                pairs.emplace_back(side.element, e);
        }
    return pairs;
}

std::vector<int> random_split(const Tank& tank, int n_ranks, double stray, Random& random) {
    const Mesh mesh = tank.owned.view();
    const double centre[3] = {};
    std::vector<double> x;
    for (Index e = 0; e < mesh.n_elements; ++e) x.push_back(map_point(mesh, e, centre)[0]);
    const auto [low, high] = std::minmax_element(x.begin(), x.end());
    std::vector<int> split;
    for (double at : x) {
        const double place = random_values(1, random)[0] < 2.0 * stray - 1.0 ? random_values(1, random, 0.0, 1.0)[0]
                                                                             : (at - *low) / (*high - *low);
        split.push_back(std::min(n_ranks - 1, static_cast<int>(n_ranks * place)));
    }
    const auto pairs = pairs_that_meet(tank);
    for (const auto& [solid, fluid] : pairs) split[fluid] = split[solid];
    for (int rank = 0; rank < n_ranks; ++rank)
        while (std::find(split.begin(), split.end(), rank) == split.end()) {
            const auto e = static_cast<Index>(random() % split.size());
            const auto meets = [&](const auto& pair) { return pair.first == e || pair.second == e; };
            if (std::count(split.begin(), split.end(), split[e]) < 3) continue;
            split[e] = rank;
            for (const auto& pair : pairs)
                if (meets(pair)) split[pair.first] = split[pair.second] = rank;
        }
    return split;
}

std::vector<double> some_elements(const std::vector<double>& values, const std::vector<Index>& elements,
                                  std::size_t n_all, std::size_t n_nodes) {
    std::vector<double> result;
    for (std::size_t begin = 0; begin < values.size(); begin += n_all * n_nodes)
        for (Index e : elements)
            for (std::size_t node = 0; node < n_nodes; ++node) result.push_back(values[begin + e * n_nodes + node]);
    return result;
}

Share::Share(const Tank& tank, const std::vector<int>& split, int rank, const Ranks* ranks)
    : ranks_(ranks), part_(tank), places_(tank.physics.size()), ghosts_in_(tank.physics.size()) {
    Random random(5 + rank);
    number_elements(tank, split, rank, random);
    number_points(tank, random);
    for (std::size_t m = 0; m < tank.physics.size(); ++m) take_medium(tank, m);
}

void Share::number_elements(const Tank& tank, const std::vector<int>& split, int rank, Random& random) {
    const Mesh mesh = tank.owned.view();
    std::vector<char> touched(static_cast<std::size_t>(mesh.n_points), 0);
    std::vector<Index> ghosts;
    for (Index e = 0; e < mesh.n_elements; ++e) {
        if (split[e] != rank) continue;
        ghosts_.number.push_back(e);
        for (Index p : corner_points(mesh, e)) touched[p] = 1;
    }
    for (Index e = 0; e < mesh.n_elements; ++e) {
        const auto points = corner_points(mesh, e);
        if (split[e] != rank && std::any_of(points.begin(), points.end(), [&](Index p) { return touched[p] != 0; }))
            ghosts.push_back(e);
    }
    std::shuffle(ghosts_.number.begin(), ghosts_.number.end(), random);
    std::shuffle(ghosts.begin(), ghosts.end(), random);
    for (Index e : ghosts) ghosts_.rank.push_back(split[e]);
    ghosts_.number.insert(ghosts_.number.end(), ghosts.begin(), ghosts.end());
}

void Share::number_points(const Tank& tank, Random& random) {
    const Mesh mesh = tank.owned.view();
    std::vector<Index> number(static_cast<std::size_t>(mesh.n_points));
    std::iota(number.begin(), number.end(), Index{0});
    std::shuffle(number.begin(), number.end(), random);
    for (Index p = 0; p < mesh.n_points; ++p)
        std::copy_n(mesh.points + p * mesh.dim, mesh.dim, &part_.owned.points[number[p] * mesh.dim]);
    part_.owned.connectivity.clear();
    for (Index e : ghosts_.number)
        for (int s = 0; s < mesh.n_shape_nodes(); ++s) part_.owned.connectivity.push_back(number[mesh.element(e)[s]]);
}

void Share::take_medium(const Tank& tank, std::size_t m) {
    part_.elements[m].clear();
    const std::size_t n_own = ghosts_.number.size() - ghosts_.rank.size();
    for (std::size_t k = 0; k < ghosts_.number.size(); ++k)
        if (const Index place = position(tank.elements[m], ghosts_.number[k]); place >= 0) {
            (k < n_own ? part_.elements : ghosts_in_)[m].push_back(static_cast<Index>(k));
            if (k < n_own) places_[m].push_back(place);
        }
    const std::size_t n_nodes = n_local_nodes(tank.order, tank.dim());
    const auto own = [&](const std::vector<double>& all) {
        return some_elements(all, places_[m], tank.elements[m].size(), n_nodes);
    };
    part_.coefficients[m] = own(tank.coefficients[m]), part_.sponge[m] = own(tank.sponge[m]);
    for (auto sides : {&Tank::absorbing, &Tank::dirichlet}) {
        (part_.*sides)[m].clear();
        for (const Side& side : (tank.*sides)[m])
            if (const Index k = local(m, side.element); k >= 0) (part_.*sides)[m].push_back({k, side.side});
    }
}

Index Share::local(std::size_t m, Index place) const { return position(places_[m], place); }

MeshSetup Share::mesh() const {
    MeshSetup setup = part_.mesh();
    setup.mesh.n_elements -= static_cast<Index>(ghosts_.rank.size());
    setup.ranks = ranks_, setup.ghosts = ghosts_;
    return setup;
}

std::vector<MediumSetup> Share::media() const {
    auto media = part_.media();
    for (std::size_t m = 0; m < media.size(); ++m) media[m].ghosts = ghosts_in_[m];
    return media;
}

std::vector<Rows> Share::rows(const std::vector<Rows>& all) const {
    auto result = all;
    for (std::size_t m = 0; m < result.size(); ++m)
        for (Index& e : result[m].elements) e = local(m, e);
    return result;
}

}  // namespace wavetree::tests
