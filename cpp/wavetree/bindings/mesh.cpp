#include "wavetree/mesh/mesh.hpp"

#include <pybind11/stl.h>

#include "wavetree/bindings/module.hpp"
#include "wavetree/mesh/dof_map.hpp"
#include "wavetree/mesh/geometry.hpp"
#include "wavetree/mesh/locate.hpp"

namespace wavetree::bindings {

namespace {

py::tuple dof_map(const Array<Index>& connectivity, int dim, int shape_order, int order) {
    Mesh mesh;
    mesh.dim = dim, mesh.shape_order = shape_order;
    expect_shape(connectivity, "connectivity", {-1, power(shape_order + 1, dim)});
    mesh.n_elements = connectivity.shape(0), mesh.connectivity = connectivity.data();
    for (Index i = 0; i < connectivity.size(); ++i) mesh.n_points = std::max(mesh.n_points, connectivity.data()[i] + 1);
    DofMap map = make_dof_map(mesh, order);
    const Index n_dofs = map.n_dofs;
    return py::make_tuple(to_numpy(std::move(map.element_dofs), {mesh.n_elements, n_local_nodes(order, dim)}), n_dofs);
}

py::array_t<double> coordinates(const Array<double>& points, const Array<Index>& connectivity, int shape_order,
                                int order) {
    const Geometry geometry(mesh_view(points, connectivity, shape_order), order);
    return to_numpy(node_coordinates(geometry), {geometry.mesh().n_elements, geometry.n_nodes(), geometry.mesh().dim});
}

py::array_t<double> mass_weights(const Array<double>& points, const Array<Index>& connectivity, int shape_order,
                                 int order) {
    const Geometry geometry(mesh_view(points, connectivity, shape_order), order);
    Factors factors(geometry);
    return to_numpy(std::move(factors.mass_weights), {geometry.mesh().n_elements, geometry.n_nodes()});
}

class BoundLocator {
  public:
    BoundLocator(Array<double> points, Array<Index> connectivity, int shape_order)
        : points_(std::move(points)),
          connectivity_(std::move(connectivity)),
          locator_(mesh_view(points_, connectivity_, shape_order)) {}

    py::tuple locate(const Array<double>& positions) const {
        const auto dim = points_.shape(1);
        expect_shape(positions, "positions", {-1, dim});
        const auto found = locator_.locate(positions.data(), positions.shape(0));
        std::vector<Index> elements;
        std::vector<double> reference;
        for (const Location& location : found) {
            elements.push_back(location.element);
            reference.insert(reference.end(), location.reference, location.reference + dim);
        }
        const auto n = static_cast<py::ssize_t>(found.size());
        return py::make_tuple(to_numpy(std::move(elements), {n}), to_numpy(std::move(reference), {n, dim}));
    }

  private:
    Array<double> points_;  // keeps alive what the mesh view points into
    Array<Index> connectivity_;
    Locator locator_;
};

}  // namespace

void bind_mesh(py::module_& m) {
    using py::arg;
    m.def("dof_map", &dof_map, arg("connectivity").noconvert(), arg("dim"), arg("shape_order"), arg("order"),
          "Continuous GLL numbering: (element_dofs (n_elements, n_nodes), n_dofs).");
    m.def("node_coordinates", &coordinates, arg("points").noconvert(), arg("connectivity").noconvert(),
          arg("shape_order"), arg("order"), "Coordinates of the element nodes, (n_elements, n_nodes, dim) [m].");
    m.def("mass_weights", &mass_weights, arg("points").noconvert(), arg("connectivity").noconvert(), arg("shape_order"),
          arg("order"), "Quadrature weight times Jacobian determinant, (n_elements, n_nodes) [m^dim].");
    py::class_<BoundLocator>(m, "Locator", "Finds positions in a mesh.")
        .def(py::init<Array<double>, Array<Index>, int>(), arg("points").noconvert(), arg("connectivity").noconvert(),
             arg("shape_order"))
        .def("locate", &BoundLocator::locate, arg("positions").noconvert(),
             "Element (n,) and reference coordinates (n, dim) of positions (n, dim) [m].");
}

}  // namespace wavetree::bindings
